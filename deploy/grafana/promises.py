"""The four objectives over a day, a week and a month, as shares and as counts of misses.

Volumes are small: on a quiet day one miss is already a bad share. So the board shows counts next to
shares, and expresses the error budget of a month in misses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from deploy.grafana.layout import Board, BoardRow
from deploy.grafana.panels import Panel, Query, above, below, describe, graph, stat
from deploy.grafana.promql import WORKERS, bound, braced, counted, or_zero, reading, slower

_Expression = Callable[[str], str]
_BACKLOG: Final = reading("backlog")
_WINDOWS: Final = {"1d": "1 day", "7d": "7 days", "30d": "30 days"}
GOAL: Final = 0.999
"""Share of a month that must meet each objective. Inferred: no agreement sets it."""


@dataclass(frozen=True, slots=True)
class _Promise:
    title: str
    since: str
    otherwise: str
    total: _Expression
    """Number of cases to which the objective applied in a window."""
    missed: _Expression
    """Number of misses in a window."""
    share: _Expression
    """Share that met the objective in a window."""
    measured: str
    """Expression that has a value while misses can be measured."""

    def queries(self, figure: _Expression) -> list[Query]:
        """Return one query per window; without any case, no miss and a share of 1."""
        empty = f"1 + 0 * {self.measured}" if figure is self.share else f"0 * {self.measured}"
        return [
            Query(f"{figure(window)} or on () {empty}", name) for window, name in _WINDOWS.items()
        ]

    def misses_left(self) -> str:
        """Return an expression for the misses that the error budget of 30 days still allows."""
        allowed = f"floor({1 - GOAL:.3f} * {self.total('30d')})"
        return or_zero(f"{allowed} - {self.missed('30d')}", self.measured)


def _timed(
    histogram: str, seconds: float, labels: str = ""
) -> tuple[_Expression, _Expression, _Expression]:
    """Return total, misses and share of a histogram; a miss took more than ``seconds``."""

    def total(window: str) -> str:
        return counted(f"{histogram}_count{braced(labels)}", window)

    def in_time(window: str) -> str:
        return counted(f"{histogram}_bucket{braced(labels, bound(seconds))}", window)

    return (
        total,
        lambda window: slower(histogram, seconds, window, labels),
        lambda window: f"{in_time(window)} / ({total(window)} > 0)",
    )


def _dead_lettered(window: str) -> str:
    return counted("icam_dead_lettered_total", window)


def _became_overdue(window: str) -> str:
    """Return an expression for the dead letters that became overdue: all rises of the gauge.

    A rise counts only if the gauge had a value before it.
    """
    rise = "max(icam_dead_letters_overdue) - max(icam_dead_letters_overdue offset 5m) > 0"
    seen = f"({rise}) and on () {reading('backlog', 'offset 5m')}"
    return f"({or_zero(f'sum_over_time(({seen})[{window}:5m])', _BACKLOG)})"


_PROMISES: Final = (
    _Promise(
        "Valid events are applied within 30 s",
        "their arrival on Kafka, without the canary",
        "see Ingest latency and Outages on the board Stream health.",
        *_timed("icam_record_seconds", 30),
        WORKERS,
    ),
    _Promise(
        "Deadlines fire within 60 s",
        "their due instant",
        "see the board Deadlines; usually no worker ran, or the database was away.",
        *_timed("icam_deadline_lateness_seconds", 60),
        WORKERS,
    ),
    _Promise(
        "Escalations are published within 30 s",
        "their cause, the arrival of a record or a deadline",
        "see Publish latency and Oldest unpublished decision on the board Stream health.",
        *_timed("icam_announced_seconds", 30, 'topic="icam.escalation.v1"'),
        WORKERS,
    ),
    _Promise(
        "Dead letters are resolved within a working day",
        "their recording; a miss is a dead letter that became overdue",
        "see the board Dead letters, and check who resolves them.",
        _dead_lettered,
        _became_overdue,
        lambda window: (
            f"clamp_min(1 - {_became_overdue(window)} / ({_dead_lettered(window)} > 0), 0)"
        ),
        _BACKLOG,
    ),
)


def _row(promise: _Promise) -> tuple[Panel, ...]:
    return (
        stat(
            f"{promise.title}: share met",
            describe(
                f"{GOAL:.1%} of all or more, counted from {promise.since}; 100 % without any.",
                promise.otherwise,
            ),
            promise.queries(promise.share),
            unit="percentunit",
            limits=above(0.99, GOAL),
            decimals=2,
            width=9,
        ),
        stat(
            "Misses",
            describe("0.", promise.otherwise),
            promise.queries(promise.missed),
            limits=below(1, 5),
            decimals=0,
            width=5,
            zero_is_good=True,
        ),
        stat(
            "Total",
            describe(
                "more than 0 on a working day.",
                "a share of few says little, so read the misses. Counter restarts are corrected to "
                "within a few.",
            ),
            promise.queries(promise.total),
            decimals=0,
            width=5,
        ),
        stat(
            "Misses left",
            describe(
                f"0 or more: the misses that {GOAL:.1%} of the last 30 days allows, minus those "
                "that occurred. A month with fewer than 1,000 allows none.",
                "fix the cause of the last misses before deploying anything new.",
            ),
            promise.misses_left(),
            limits=((None, "red"), (0, "green")),
            decimals=0,
            width=5,
            zero_is_good=True,
        ),
    )


_MISSES: Final = graph(
    "Misses per day",
    describe("none.", "the day identifies the deployment or outage."),
    [
        Query(or_zero(promise.missed("1d"), promise.measured), promise.title)
        for promise in _PROMISES
    ],
    each="1d",
    zero_is_good=True,
)

BOARD: Final = Board(
    name="promises",
    title="Promises",
    description="The four objectives over a day, a week and a month: shares and misses.",
    rows=(*(BoardRow(6, _row(promise)) for promise in _PROMISES), BoardRow(8, (_MISSES,))),
    since="now-30d",
)
