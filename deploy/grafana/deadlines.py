"""Deadlines: whether every due case is checked, and how soon."""

from __future__ import annotations

from typing import Final

from deploy.grafana.layout import Board, BoardRow
from deploy.grafana.panels import NONE_IS_WELL, PLAIN, Query, bars, below, describe, graph, stat
from deploy.grafana.promql import WORKERS, counted, or_zero, quantile, reading, slower

_READ: Final = reading("cases")
_LATENESS: Final = "icam_deadline_lateness_seconds"

_NOW: Final = (
    stat(
        "Oldest overdue case",
        describe(
            "under a minute.",
            "check that workers run and reach the database; missed deadlines are caught up "
            "automatically.",
        ),
        "max(icam_deadlines_due_unfired_oldest_seconds)",
        unit="s",
        limits=below(60, 300),
        zero_is_good=True,
    ),
    stat(
        "Cases overdue",
        describe("0 between sweeps.", "a constant number: the sweep fails on these cases."),
        "max(icam_deadlines_due_unfired)",
        limits=below(1, 1000),
        zero_is_good=True,
    ),
    stat(
        "Failed in a day",
        describe("0.", "the worker's log names the case and the error; each sweep retries it."),
        or_zero(counted("icam_deadlines_failed_total", "1d"), WORKERS),
        limits=NONE_IS_WELL,
        decimals=0,
        zero_is_good=True,
    ),
    stat(
        "Later than 60 s in a day",
        describe(
            "0: our objective.", "all workers were restarted or an outage occurred; see Lateness."
        ),
        or_zero(slower(_LATENESS, 60, "1d"), WORKERS),
        limits=NONE_IS_WELL,
        decimals=0,
        zero_is_good=True,
    ),
    stat(
        "Fired in a day",
        describe("about as many as were due.", "0 on a working day: the sweep is not running."),
        or_zero(counted(f"{_LATENESS}_count", "1d"), WORKERS),
        limits=PLAIN,
        decimals=0,
    ),
    stat(
        "Due within the next day",
        describe(
            "above 0 before a working day: the terms of orders from a month ago end.",
            "0 is normal before a day off, when no term ends; on other days no case has a term.",
        ),
        "max(icam_deadlines_due_next_day)",
        limits=PLAIN,
    ),
)

_OVER_TIME: Final = (
    graph(
        "Lateness",
        describe(
            "about a second, the interval of the sweep.", "above 60 s the objective is missed."
        ),
        [
            Query(quantile(0.5, _LATENESS, "1h"), "p50"),
            Query(quantile(0.99, _LATENESS, "1h"), "p99"),
        ],
        unit="s",
        limits=below(10, 60),
    ),
    graph(
        "Fired per hour",
        describe(
            "most just after midnight, when terms end.", "none at night: the sweep did not run."
        ),
        [Query(or_zero(counted(f"{_LATENESS}_count", "1h"), WORKERS), "fired")],
        each="1h",
    ),
)

_BACKLOG: Final = (
    graph(
        "Cases overdue, over time",
        describe(
            "back to 0 within seconds.", "the workers' log names the cases that stay overdue."
        ),
        [Query("max(icam_deadlines_due_unfired)", "cases")],
        zero_is_good=True,
    ),
    graph(
        "Due within the next day, over time",
        describe("as last week.", "a step means a new policy, a new calendar or many new orders."),
        [Query("max(icam_deadlines_due_next_day)", "cases")],
    ),
)

_ATTENTION: Final = (
    stat(
        "Open cases without attention",
        describe(
            "0: every open case has a next date, an owner and an office.",
            "follow the runbook IcamCaseForgotten.",
        ),
        or_zero("sum(icam_cases_without_attention)", _READ),
        limits=NONE_IS_WELL,
        zero_is_good=True,
    ),
    bars(
        "Open cases without attention, by kind",
        describe("no bar.", "the runbook IcamCaseForgotten says what each kind means."),
        [
            Query(
                or_zero("sort_desc(sum by (breach) (icam_cases_without_attention > 0))", _READ),
                "{{breach}}",
            )
        ],
        limits=NONE_IS_WELL,
        zero_is_good=True,
    ),
)

BOARD: Final = Board(
    name="deadlines",
    title="Deadlines",
    description="Is every due case checked, and how soon? Does every open case have a next date?",
    rows=(
        BoardRow(4, _NOW),
        BoardRow(6, _ATTENTION),
        BoardRow(8, _OVER_TIME),
        BoardRow(8, _BACKLOG),
    ),
    since="now-2d",
)
