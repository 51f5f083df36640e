"""Exported series, and the series and labels that an expression uses."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from streams.runtime.metrics import BoardMetrics, CanaryMetrics, ExporterMetrics, Metrics

JOBS: Final = {
    "icam": Metrics,
    "icam-exporter": ExporterMetrics,
    "icam-canary": CanaryMetrics,
    "icam-board": BoardMetrics,
}
"""Metrics class of each Prometheus job."""

_SERIES = re.compile(r"\bicam_[a-z_]+")
_LABELS = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)|\{([^}]*)\}")
_SUFFIXES: dict[str | None, dict[str, tuple[str, ...]]] = {
    "counter": {"_total": ()},
    "gauge": {"": ()},
    "histogram": {"_bucket": ("le",), "_sum": (), "_count": ()},
}


@cache
def exported() -> dict[str, set[str]]:
    """Return the labels of every exported series, by series name."""
    return {
        metric._name + suffix: {*metric._labelnames, *more}
        for job in JOBS
        for metric in metrics(job)
        for suffix, more in _SUFFIXES[metric._type].items()
    }


def metrics(job: str) -> list[MetricWrapperBase]:
    """Return the metrics that are exported to a job."""
    return [m for m in vars(JOBS[job]()).values() if isinstance(m, MetricWrapperBase)]


def named(expression: str) -> set[str]:
    """Return our series that an expression uses."""
    return set(_SERIES.findall(expression))


def unknown_labels(expression: str) -> set[str]:
    """Return the labels that an expression uses and none of its series has."""
    has = {"job", "instance"}.union(*(exported()[name] for name in named(expression)))
    asked = {
        re.split(r"[=!~]", label)[0].strip()
        for grouped, matched in _LABELS.findall(expression)
        for label in f"{grouped},{matched}".split(",")
        if label.strip()
    }
    return asked - has
