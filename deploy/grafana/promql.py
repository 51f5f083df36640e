"""PromQL expressions that several panels share.

Volumes are small, about 144 orders per working day, and counters start at 0 with every worker. So
these expressions count completely even if a series begins within the window. They return 0 only
while the process that counts is scraped: no data always means that something is broken.
"""

from __future__ import annotations

from typing import Final

WORKERS: Final = "sum(icam_partitions_assigned)"
"""Expression that has a value while a worker is scraped."""


def reading(name: str, when: str = "") -> str:
    """Return an expression that has a value once the scraped exporter has taken this reading."""
    series = f'icam_reading_seconds{{reading="{name}"}}'
    return f"max({series} {when})" if when else f"max({series})"


def or_zero(expr: str, measured: str) -> str:
    """Return 0 for an empty result while ``measured`` has a value."""
    return f"{expr} or on () 0 * {measured}"


def counted(metric: str, window: str, *by: str) -> str:
    """Return the increase of a counter over a window, by labels.

    ``increase`` ignores the step from nothing to the first sample of a series. So the first sample
    is added if the series did not exist in the hour before the window. The hour prevents a few
    failed scrapes from counting as a new series. The result may be fractional, because ``increase``
    extrapolates to the edges of the window.
    """
    increase, first = f"increase({metric}[{window}])", f"min_over_time({metric}[{window}])"
    before = f"last_over_time({metric}[1h] offset {window})"
    return f"{_sum(by)}({increase} + ({first} unless {before}) or {increase})"


def quantile(share: float, histogram: str, window: str, labels: str = "") -> str:
    """Return a quantile over a window and all workers; 0 without observations."""
    buckets = counted(f"{histogram}_bucket{braced(labels)}", window, "le")
    return or_zero(f"histogram_quantile({share:g}, {buckets}) >= 0", WORKERS)


def slower(histogram: str, seconds: float, window: str, labels: str = "") -> str:
    """Return the number of observations above ``seconds``, which must be a bucket bound."""
    bucket = braced(labels, bound(seconds))
    total = counted(f"{histogram}_count{braced(labels)}", window)
    return f"round({total} - {counted(f'{histogram}_bucket{bucket}', window)})"


def bound(seconds: float) -> str:
    """Return the label of the histogram bucket with this upper bound."""
    return f'le="{seconds:.1f}"'


def braced(*labels: str) -> str:
    """Return a label selector; empty without labels."""
    given = ", ".join(label for label in labels if label)
    return f"{{{given}}}" if given else ""


def _sum(by: tuple[str, ...]) -> str:
    return f"sum by ({', '.join(by)}) " if by else "sum"
