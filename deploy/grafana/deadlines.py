"""Terms that end by themselves: whether every due case is looked at, and how soon."""

from __future__ import annotations

from typing import Final

from deploy.grafana.layout import Board, BoardRow
from deploy.grafana.panels import NONE_IS_WELL, PLAIN, Query, below, describe, graph, stat
from deploy.grafana.promql import WORKERS, counted, or_zero, quantile, slower

_LATENESS: Final = "icam_deadline_lateness_seconds"

_NOW: Final = (
    stat(
        "The oldest is due since",
        describe(
            "under a minute.",
            "see whether workers run and reach the database; what was missed is caught up alone.",
        ),
        "max(icam_deadlines_due_unfired_oldest_seconds)",
        unit="s",
        limits=below(60, 300),
        zero_is_good=True,
    ),
    stat(
        "Due and not looked at",
        describe("0 between sweeps.", "a number that stays is cases on which the sweep fails."),
        "max(icam_deadlines_due_unfired)",
        limits=below(1, 1000),
        zero_is_good=True,
    ),
    stat(
        "Failed in a day",
        describe(
            "0.", "the worker's log names the case and the error; it is tried again each sweep."
        ),
        or_zero(counted("icam_deadlines_failed_total", "1d"), WORKERS),
        limits=NONE_IS_WELL,
        decimals=0,
        zero_is_good=True,
    ),
    stat(
        "Later than 60 s in a day",
        describe("0: that is promised.", "a restart of all workers or an outage; see the graph."),
        or_zero(slower(_LATENESS, 60, "1d"), WORKERS),
        limits=NONE_IS_WELL,
        decimals=0,
        zero_is_good=True,
    ),
    stat(
        "Fired in a day",
        describe("about as many as were due.", "0 on a working day: the sweep does not run."),
        or_zero(counted(f"{_LATENESS}_count", "1d"), WORKERS),
        limits=PLAIN,
        decimals=0,
    ),
    stat(
        "Due within the next day",
        describe(
            "some on the eve of a working day: orders of a month ago end their terms.",
            "0 is usual before a day off, when no term ends; on other days no case has a term.",
        ),
        "max(icam_deadlines_due_next_day)",
        limits=PLAIN,
    ),
)

_OVER_TIME: Final = (
    graph(
        "Lateness",
        describe("about a second, the pace of the sweep.", "above 60 s a promise is broken."),
        [
            Query(quantile(0.5, _LATENESS, "1h"), "half within"),
            Query(quantile(0.99, _LATENESS, "1h"), "99 % within"),
        ],
        unit="s",
        limits=below(10, 60),
    ),
    graph(
        "Fired each hour",
        describe(
            "most just after midnight, when days are counted.", "a flat night is a missed one."
        ),
        [Query(or_zero(counted(f"{_LATENESS}_count", "1h"), WORKERS), "fired")],
        each="1h",
    ),
)

_WAITING: Final = (
    graph(
        "Due and not looked at, over time",
        describe("back to 0 within seconds.", "what stays is in the log of the workers, by case."),
        [Query("max(icam_deadlines_due_unfired)", "cases")],
        zero_is_good=True,
    ),
    graph(
        "Due within the next day, over time",
        describe("like last week.", "a step is a new policy or calendar, or a flood of orders."),
        [Query("max(icam_deadlines_due_next_day)", "cases")],
    ),
)

BOARD: Final = Board(
    name="deadlines",
    title="Deadlines",
    description="Terms that end by themselves: is every due case looked at, and how soon?",
    rows=(BoardRow(4, _NOW), BoardRow(8, _OVER_TIME), BoardRow(8, _WAITING)),
    since="now-2d",
)
