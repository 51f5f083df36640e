"""Expressions that several panels share.

Volumes are small, some 144 orders a working day, and a worker's counters begin again with it. So
counts are whole even where a series begins within the window, and a zero is said only while
whoever would count is there to be asked: no data always means that something is broken.
"""

from __future__ import annotations

from typing import Final

WORKERS: Final = "sum(icam_partitions_assigned)"
"""There while a worker is scraped."""


def reading(name: str, when: str = "") -> str:
    """There while the exporter is scraped, from its first reading of that name on."""
    series = f'icam_reading_seconds{{reading="{name}"}}'
    return f"max({series} {when})" if when else f"max({series})"


def or_zero(expr: str, there: str) -> str:
    """Return zero for what is empty, while ``there`` is not."""
    return f"{expr} or on () 0 * {there}"


def counted(metric: str, window: str, *by: str) -> str:
    """Return how far a counter went within a window, by labels.

    ``increase`` sees no step into the first sample of a series, so that sample is added when the
    series was not there in the hour before the window: a scrape or two that failed begin nothing
    anew. A fraction comes from ``increase``, which stretches what it saw to the window's edges.
    """
    grown, first = f"increase({metric}[{window}])", f"min_over_time({metric}[{window}])"
    before = f"last_over_time({metric}[1h] offset {window})"
    return f"{_sum(by)}({grown} + ({first} unless {before}) or {grown})"


def quantile(share: float, histogram: str, window: str, labels: str = "") -> str:
    """Return a quantile over a window, all workers together; 0 of nothing observed."""
    buckets = counted(f"{histogram}_bucket{braced(labels)}", window, "le")
    return or_zero(f"histogram_quantile({share:g}, {buckets}) >= 0", WORKERS)


def slower(histogram: str, seconds: float, window: str, labels: str = "") -> str:
    """Return how many took longer, whole; ``seconds`` is the bound of a bucket."""
    within = braced(labels, bound(seconds))
    every = counted(f"{histogram}_count{braced(labels)}", window)
    return f"round({every} - {counted(f'{histogram}_bucket{within}', window)})"


def bound(seconds: float) -> str:
    """Name the bucket of a histogram that ends there."""
    return f'le="{seconds:.1f}"'


def braced(*labels: str) -> str:
    """Return a selector of labels; nothing for none."""
    given = ", ".join(label for label in labels if label)
    return f"{{{given}}}" if given else ""


def _sum(by: tuple[str, ...]) -> str:
    return f"sum by ({', '.join(by)}) " if by else "sum"
