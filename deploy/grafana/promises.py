"""The four objectives, each over a day, a week and a month, as shares and as counts of misses.

Volumes are small: one miss in a quiet day is a bad share and one miss. So counts stand beside
shares, and the month's allowance is told in misses.
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
"""Share of a month that is to be kept. Inferred: nobody has fixed it."""


@dataclass(frozen=True, slots=True)
class _Promise:
    title: str
    since: str
    otherwise: str
    made: _Expression
    """How many there were in a window."""
    missed: _Expression
    """How many of them were late."""
    share: _Expression
    """Share of them that were not."""
    there: str
    """Something that is there while misses can be told."""

    def asked(self, what: _Expression) -> list[Query]:
        """Return a query for every window; where nothing was made, nothing was broken."""
        nothing = f"1 + 0 * {self.there}" if what is self.share else f"0 * {self.there}"
        return [
            Query(f"{what(window)} or on () {nothing}", name) for window, name in _WINDOWS.items()
        ]

    def left(self) -> str:
        allowed = f"floor({1 - GOAL:.3f} * {self.made('30d')})"
        return or_zero(f"{allowed} - {self.missed('30d')}", self.there)


def _timed(
    histogram: str, seconds: float, labels: str = ""
) -> tuple[_Expression, _Expression, _Expression]:
    """Return how many a histogram counted, how many took longer, and the share that did not."""

    def made(window: str) -> str:
        return counted(f"{histogram}_count{braced(labels)}", window)

    def kept(window: str) -> str:
        return counted(f"{histogram}_bucket{braced(labels, bound(seconds))}", window)

    return (
        made,
        lambda window: slower(histogram, seconds, window, labels),
        lambda window: f"{kept(window)} / ({made(window)} > 0)",
    )


def _set_aside(window: str) -> str:
    return counted("icam_dead_lettered_total", window)


def _became_overdue(window: str) -> str:
    """Return an expression of how many letters became overdue: every rise of the gauge, in steps.

    A rise counts only when the gauge had been read before it.
    """
    rise = "max(icam_dead_letters_overdue) - max(icam_dead_letters_overdue offset 5m) > 0"
    seen = f"({rise}) and on () {reading('backlog', 'offset 5m')}"
    return f"({or_zero(f'sum_over_time(({seen})[{window}:5m])', _BACKLOG)})"


_PROMISES: Final = (
    _Promise(
        "Valid events are projected within 30 s",
        "of their arrival on Kafka, the canary's left out",
        "see From Kafka to the database and Held up on Stream health.",
        *_timed("icam_record_seconds", 30),
        WORKERS,
    ),
    _Promise(
        "Deadlines fire within 60 s",
        "of their instant",
        "see Deadlines; most often no worker ran, or the database was away.",
        *_timed("icam_deadline_lateness_seconds", 60),
        WORKERS,
    ),
    _Promise(
        "Escalations are published within 30 s",
        "of their cause, a record's arrival or a deadline",
        "see Publishing and Decisions wait for on Stream health.",
        *_timed("icam_announced_seconds", 30, 'topic="icam.escalation.v1"'),
        WORKERS,
    ),
    _Promise(
        "Dead letters are triaged within a working day",
        "of being set aside; a miss is one that became overdue",
        "see Dead letters, and who looks at them.",
        _set_aside,
        _became_overdue,
        lambda window: f"clamp_min(1 - {_became_overdue(window)} / ({_set_aside(window)} > 0), 0)",
        _BACKLOG,
    ),
)


def _row(promise: _Promise) -> tuple[Panel, ...]:
    return (
        stat(
            f"{promise.title}: share kept",
            describe(
                f"{GOAL:.1%} of all, {promise.since}; 100 % where there was nothing to keep.",
                promise.otherwise,
            ),
            promise.asked(promise.share),
            unit="percentunit",
            limits=above(0.99, GOAL),
            decimals=2,
            width=9,
        ),
        stat(
            "Misses",
            describe("0.", promise.otherwise),
            promise.asked(promise.missed),
            limits=below(1, 5),
            decimals=0,
            width=5,
            zero_is_good=True,
        ),
        stat(
            "Of how many",
            "Good: more than 0 on a working day. Otherwise: a share of few says little, read the "
            "misses. Counters that restart are taken into account, to within a few.",
            promise.asked(promise.made),
            decimals=0,
            width=5,
        ),
        stat(
            "Misses left",
            describe(
                f"0 or more: what {GOAL:.1%} of the last 30 days allows, less the misses. Below "
                "1,000 in a month it allows none.",
                "what was broken last comes first, before anything new is deployed.",
            ),
            promise.left(),
            limits=((None, "red"), (0, "green")),
            decimals=0,
            width=5,
            zero_is_good=True,
        ),
    )


_MISSES: Final = graph(
    "Misses each day",
    describe("none.", "the day tells which deployment or outage it was."),
    [Query(or_zero(promise.missed("1d"), promise.there), promise.title) for promise in _PROMISES],
    each="1d",
    zero_is_good=True,
)

BOARD: Final = Board(
    name="promises",
    title="Promises",
    description="The four objectives, over a day, a week and a month: shares, and the misses.",
    rows=(*(BoardRow(6, _row(promise)) for promise in _PROMISES), BoardRow(8, (_MISSES,))),
    since="now-30d",
)
