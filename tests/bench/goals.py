"""The goals, and whether a result reaches them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tests.bench.results import Contest, Result, Single, Spread, Verdict, paired
from tests.bench.roster import RIVALS

Figure: TypeAlias = Callable[[Result], float | None]
"""Finds a figure; None if it was not measured or does not count."""
_MILLION: Final = 990_000
"""A history is copied as a whole, so there may be a few less."""
_MOST_ALONE: Final = 1.1
"""Records per transaction. On a machine that is busy they come in batches at any rate."""


@dataclass(frozen=True)
class Goal:
    """One figure with its limit."""

    name: str
    sign: Literal[">=", "<="]
    bound: float
    unit: str
    figure: Figure

    def met(self, result: Result) -> bool | None:
        """Whether the goal is met; None if the figure is missing."""
        found = self.figure(result)
        if found is None:
            return None
        return found >= self.bound if self.sign == ">=" else found <= self.bound

    @property
    def wanted(self) -> str:
        """Return the limit in words."""
        return f"{self.sign} {self.bound:g} {self.unit}".rstrip()


def verdicts(result: Result) -> list[Verdict]:
    """Return every goal with what was found."""
    return [
        Verdict(
            goal=goal.name,
            wanted=goal.wanted,
            found=goal.figure(result),
            reached=goal.met(result),
        )
        for goal in GOALS
    ]


def contest(result: Result, name: str) -> Contest | None:
    """Return the figures of a contender; None if it has none that count."""
    found = result.throughput.contenders.get(name) if result.throughput else None
    return None if found is None or found.failures or not found.rate.values else found


def single(result: Result, name: str) -> Single | None:
    """Return the figures of a contender for records that come alone; None if none count."""
    found = result.singles.contenders.get(name) if result.singles else None
    return None if found is None or found.failures or not found.cpu_us.values else found


def rate(result: Result, name: str) -> float | None:
    """Return a contender's median rate; None if it has no valid rate."""
    found = contest(result, name)
    return None if found is None else found.rate.median


def both_cpu(found: Contest) -> Spread | None:
    """Return the CPU of a contender and PostgreSQL together, by round."""
    server = found.server_cpu_us
    if server is None:
        return None
    return Spread.of(a + b for a, b in zip(found.cpu_us.values, server.values, strict=True))


def _over(name: str, other: str, of: Callable[[Contest], Spread | None]) -> Figure:
    def figure(result: Result) -> float | None:
        ours, theirs = contest(result, name), contest(result, other)
        if ours is None or theirs is None:
            return None
        one, two = of(ours), of(theirs)
        return paired(one, two).median if one and two else None

    return figure


def _over_rivals(result: Result) -> float | None:
    ours = contest(result, "worker")
    theirs = [contest(result, name) for name in RIVALS]
    # Before published bytes were compared, the rivals used our SQL.
    known = [one for one in theirs if one and one.published_bytes]
    # The best rival is known only when all of them were measured.
    if ours is None or len(known) != len(RIVALS):
        return None
    return paired(ours.rate, max(known, key=lambda one: one.rate.median).rate).median


def _of_worker(of: Callable[[Contest], Spread | None]) -> Figure:
    def figure(result: Result) -> float | None:
        found = contest(result, "worker")
        spread = of(found) if found else None
        return spread.median if spread else None

    return figure


def _alone(result: Result) -> Single | None:
    found = single(result, "worker")
    return found if found and found.batch.median <= _MOST_ALONE else None


def _alone_ms(result: Result) -> float | None:
    found = _alone(result)
    if found is None:
        return None
    pairs = zip(found.cpu_us.values, found.server_cpu_us.values, strict=True)
    return Spread.of((a + b) / 1000 for a, b in pairs).median


def _alone_trips(result: Result) -> float | None:
    """Return the round trips to a tenth: a statement used first on a connection takes more."""
    found = _alone(result)
    trips = None if found is None else found.round_trips
    return None if trips is None else round(trips, 1)


def _kilobytes(spread: Spread | None) -> Spread | None:
    return Spread.of(value / 1000 for value in spread.values) if spread else None


def _of(scenario: str, name: str, index: str | None = None, **least: float) -> Figure:
    """Return what finds a figure of a scenario of at least a size: a goal is about that size."""

    def figure(result: Result) -> float | None:
        taken = getattr(result, scenario)
        if taken is None or taken.failures:
            return None
        if any(getattr(taken, size) < wanted for size, wanted in least.items()):
            return None
        found = getattr(taken, name)
        return float(getattr(found, index) if index else found)

    return figure


def _whole(scenario: str, name: str) -> Figure:
    return _of(scenario, name, events=_MILLION)


def _rate(found: Contest) -> Spread:
    return found.rate


def _cpu(found: Contest) -> Spread:
    return found.cpu_us


def _server(found: Contest) -> Spread | None:
    return found.server_cpu_us


GOALS: Final = (
    Goal(
        "worker + PostgreSQL CPU an event over the floor",
        "<=",
        4,
        "x",
        _over("worker", "floor", both_cpu),
    ),
    Goal("worker CPU an event of the base", "<=", 0.5, "x", _over("worker", "base", _cpu)),
    Goal("PostgreSQL CPU an event of the base", "<=", 0.6, "x", _over("worker", "base", _server)),
    Goal("worker + PostgreSQL CPU of a record that comes alone", "<=", 1, "ms", _alone_ms),
    Goal("round trips of a record that comes alone", "<=", 5, "", _alone_trips),
    Goal(
        "write-ahead log an event",
        "<=",
        2.2,
        "KB",
        _of_worker(lambda found: _kilobytes(found.wal_bytes)),
    ),
    Goal(
        "bytes on disk an event",
        "<=",
        1.6,
        "KB",
        _of_worker(lambda found: _kilobytes(found.disk_bytes)),
    ),
    Goal("worker over the best rival with its own SQL", ">=", 2, "x", _over_rivals),
    Goal("two workers over one", ">=", 1.4, "x", _over("worker-x2", "worker", _rate)),
    Goal("cause to escalation at 100/s, p50", "<=", 6, "ms", _of("latency", "p50_ms")),
    Goal("cause to escalation at 100/s, p99", "<=", 20, "ms", _of("latency", "p99_ms")),
    Goal("cause to escalation at 2,000/s, p99", "<=", 60, "ms", _of("latency_busy", "p99_ms")),
    Goal(
        "rebuild and compare 1,000,000 events",
        "<=",
        20,
        "s",
        _whole("rebuild", "seconds"),
    ),
    Goal("cases that a rebuild finds differing", "<=", 0, "", _of("rebuild", "differing")),
    Goal("what-if over 1,000,000 events", "<=", 60, "s", _whole("whatif", "seconds")),
    Goal(
        "memory with 1,000,000 events behind",
        "<=",
        180,
        "MB",
        _whole("backlog", "peak_rss_mb"),
    ),
    Goal(
        "memory in the second half over the first",
        "<=",
        1.05,
        "x",
        _whole("backlog", "growth"),
    ),
    Goal(
        "rate with 1,000,000 cases and 5,000,000 events stored over few",
        ">=",
        0.9,
        "x",
        _of("growth", "ratio", many_cases=_MILLION, many_events=5 * _MILLION),
    ),
    Goal(
        "rate with 10,000 and 50,000 open dead letters over none",
        ">=",
        0.9,
        "x",
        _of("dead_letters", "worst_ratio", most=50_000),
    ),
    Goal("worker over naive Faust", ">=", 15, "x", _over("worker", "naive", _rate)),
    Goal("worker over Faust's own delivery", ">=", 2.5, "x", _over("worker", "stock", _rate)),
    Goal("worker over the pipelined limit", ">=", 0.9, "x", _over("worker", "pipelined", _rate)),
    Goal("cost of an event in long cases over short", "<=", 2, "x", _of("long_cases", "ratio")),
    Goal(
        "fold, route and decide, at its own time",
        "<=",
        25,
        "us",
        _of("domain", "median_us", "median"),
    ),
    Goal("partitions to first event", "<=", 3, "s", _of("cold_start", "from_assignment", "median")),
)
"""The goals of the cost of an event first, then those of earlier versions."""
