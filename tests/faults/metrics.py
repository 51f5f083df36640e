"""What a worker's metrics say."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from streams.embedded.worker import WorkerProcess


def metric(worker: WorkerProcess, name: str) -> float:
    """Return a gauge or counter over all labels; 0 when there is none, or nothing answers."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(worker.metrics())
        if family.name == name
        for sample in family.samples
        if not sample.name.endswith("_created")
    )
