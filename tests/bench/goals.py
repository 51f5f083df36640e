"""The goals, and whether a result meets them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from tests.bench.results import Result

_RIVALS: Final = ("quix", "bytewax", "confluent-psycopg")


@dataclass(frozen=True)
class Goal:
    """One figure with its limit."""

    name: str
    sign: Literal[">=", "<="]
    bound: float
    unit: str
    figure: Callable[[Result], float | None]
    """The figure; None if it was not measured or does not count."""

    def met(self, result: Result) -> bool | None:
        """Whether the goal is met; None if the figure is missing."""
        found = self.figure(result)
        if found is None:
            return None
        return found >= self.bound if self.sign == ">=" else found <= self.bound


def rate(result: Result, name: str) -> float | None:
    """Return a contender's median rate; None if it has no valid rate."""
    taken = result.throughput.contenders.get(name) if result.throughput else None
    return None if taken is None or taken.failures else taken.rate.median


def _over(name: str, other: str) -> Callable[[Result], float | None]:
    def figure(result: Result) -> float | None:
        ours, theirs = rate(result, name), rate(result, other)
        return ours / theirs if ours and theirs else None

    return figure


def _over_rivals(result: Result) -> float | None:
    ours = rate(result, "worker")
    theirs = [rate(result, name) for name in _RIVALS]
    known = [one for one in theirs if one]
    # The best rival is known only when all three were measured.
    return ours / max(known) if ours and len(known) == len(_RIVALS) else None


def _of(scenario: str, name: str, index: str | None = None) -> Callable[[Result], float | None]:
    def figure(result: Result) -> float | None:
        taken = getattr(result, scenario)
        if taken is None or taken.failures:
            return None
        found = getattr(taken, name)
        return float(getattr(found, index) if index else found)

    return figure


GOALS: Final = (
    Goal("worker over naive Faust", ">=", 15, "x", _over("worker", "naive")),
    Goal("worker over Faust's own delivery", ">=", 2.5, "x", _over("worker", "stock")),
    Goal("worker over the best of Quix, Bytewax, confluent", ">=", 1.7, "x", _over_rivals),
    Goal("worker over the pipelined limit", ">=", 0.9, "x", _over("worker", "pipelined")),
    Goal("two workers over one", ">=", 1.2, "x", _over("worker-x2", "worker")),
    Goal("rate with many stored cases over few", ">=", 0.85, "x", _of("growth", "ratio")),
    Goal("cost of an event in long cases over short", "<=", 2, "x", _of("long_cases", "ratio")),
    Goal(
        "fold, route and decide, at its own time",
        "<=",
        25,
        "us",
        _of("domain", "median_us", "median"),
    ),
    Goal("cause to escalation, p50", "<=", 20, "ms", _of("latency", "p50_ms")),
    Goal("cause to escalation, p99", "<=", 60, "ms", _of("latency", "p99_ms")),
    Goal("memory while draining a backlog", "<=", 200, "MB", _of("backlog", "peak_rss_mb")),
    Goal("rebuild and compare", "<=", 60, "s", _of("rebuild", "seconds")),
    Goal("cases that a rebuild finds differing", "<=", 0, "", _of("rebuild", "differing")),
    Goal("partitions to first event", "<=", 3, "s", _of("cold_start", "from_assignment", "median")),
)
