"""Metrics: one table that declares them all, and the code that sets a worker's own."""

from streams.runtime.metrics.spec import Capped, RoleMetrics, Source, Spec, Values
from streams.runtime.metrics.table import (
    MOST_PRODUCERS,
    BoardMetrics,
    CanaryMetrics,
    ExporterMetrics,
)
from streams.runtime.metrics.worker import Metrics

__all__ = [
    "MOST_PRODUCERS",
    "BoardMetrics",
    "CanaryMetrics",
    "Capped",
    "ExporterMetrics",
    "Metrics",
    "RoleMetrics",
    "Source",
    "Spec",
    "Values",
]
