"""Reads values from a worker's metrics."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from streams.embedded.worker import WorkerProcess


def metric(worker: WorkerProcess, name: str) -> float:
    """Return a gauge or counter summed over all labels; 0 if it is absent or the worker is away."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(worker.metrics())
        if family.name == name
        for sample in family.samples
        if not sample.name.endswith("_created")
    )
