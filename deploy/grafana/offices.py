"""Open cases compared with the capacity of each team. Capacities are inferred and dated."""

from __future__ import annotations

from typing import Final

from deploy.grafana.layout import Board, BoardRow
from deploy.grafana.panels import (
    Column,
    Limits,
    Query,
    bars,
    below,
    describe,
    graph,
    stat,
    table,
)
from deploy.grafana.promql import WORKERS, counted, or_zero, reading

_READ: Final = reading("cases")
_TEAM: Final = "sum by (office, track)"
_CAPACITY: Final = f"{_TEAM} (icam_office_capacity)"
_CASES: Final = f"({_TEAM} (icam_cases) and {_CAPACITY} or 0 * {_CAPACITY})"
_LOAD: Final = f"{_CASES} / {_CAPACITY}"
_LOAD_LIMITS: Final[Limits] = below(0.9, 1)

_NOW: Final = (
    stat(
        "Cases followed by a team",
        describe("about as many as orders in force.", "a drop: cases lost their office."),
        f"sum({_CASES})",
    ),
    stat(
        "Capacity of all teams",
        describe(
            "more than the cases.",
            "recruit counsellors or move cases; the capacities are in the staffing table.",
        ),
        "sum(icam_office_capacity)",
    ),
    stat(
        "Load of all teams",
        describe("under 90 %.", "no capacity is left for a peak; inform the staff planners."),
        f"sum({_CASES}) / sum(icam_office_capacity)",
        unit="percentunit",
        limits=_LOAD_LIMITS,
        decimals=0,
    ),
    stat(
        "Teams above capacity",
        describe("0.", "see which teams, and whether a neighbouring team has capacity."),
        f"count({_LOAD} > 1) or on () 0 * sum(icam_office_capacity)",
        limits=below(1, 3),
        zero_is_good=True,
    ),
    stat(
        "Cases that no office follows",
        describe(
            "few, each for a reason shown below.",
            "triage is decided manually; for a missing order ask the producer.",
        ),
        or_zero("sum(icam_cases_unrouted)", _READ),
        limits=below(50, 200),
    ),
    stat(
        "Routed or rerouted in a day",
        describe("about as many as orders.", "many: a new directory; none: no orders arrive."),
        or_zero(counted("icam_routings_total", "1d"), WORKERS),
        decimals=0,
    ),
)

_LOADS: Final = (
    bars(
        "Load, by office and track",
        describe("every bar under 90 %.", "move cases or staff of a red team first."),
        [Query(f"sort_desc({_LOAD})", "{{office}} {{track}}")],
        unit="percentunit",
        limits=_LOAD_LIMITS,
        decimals=0,
        most=1.25,
    ),
    table(
        "Cases and capacity",
        describe(
            "no red cell.",
            "capacities are inferred and dated: correct the staffing table if they are wrong.",
        ),
        ("office", "track"),
        (
            Column("cases", _CASES),
            Column("capacity", _CAPACITY),
            Column("load", _LOAD, "percentunit", _LOAD_LIMITS),
        ),
    ),
)

_CASES_OF: Final = (
    bars(
        "Age of the order, in days",
        describe("most under 90.", "old cases that stay make no progress: review them."),
        [
            Query(or_zero(f'sum(icam_cases{{age="{age}"}})', _READ), age)
            for age in ("0-7", "8-30", "31-90", "91-365", "366+")
        ],
    ),
    bars(
        "Cases, by status",
        describe(
            "most in follow-up.",
            "needs_repair: resolve the dead letter; awaiting_order: the order has not arrived; "
            "ended: the follow-up is over, no team has it.",
        ),
        [Query(or_zero("sort_desc(sum by (status) (icam_cases_by_status))", _READ), "{{status}}")],
    ),
    bars(
        "Cases that no office follows, by reason",
        describe(
            "empty, or short.",
            "awaiting_order: facts arrived before the order; triage: no usable postcode or no open "
            "office.",
        ),
        [Query(or_zero("sort_desc(sum by (reason) (icam_cases_unrouted))", _READ), "{{reason}}")],
        limits=below(50, 200),
        zero_is_good=True,
    ),
    graph(
        "Routed per day, by office",
        describe(
            "the same proportions as last month.",
            "an office without cases may be closed in the directory.",
        ),
        [Query(or_zero(counted("icam_routings_total", "1d", "office"), WORKERS), "{{office}}")],
        each="1d",
    ),
)

_WORK: Final = (
    bars(
        "Late proposals, by office",
        describe(
            "few: proposals are answered by their date.",
            "see `icam worklist` of that office, and the load of its teams.",
        ),
        [
            Query(
                or_zero('sort_desc(sum by (office) (icam_proposals_due{due="late"}))', _READ),
                "{{office}}",
            )
        ],
        limits=below(5, 25),
        zero_is_good=True,
    ),
    bars(
        "Proposals due today or later this week, by office",
        describe("in proportion to the caseload.", "an office far above the others needs help."),
        [
            Query(
                or_zero(
                    'sort_desc(sum by (office) (icam_proposals_due{due=~"today|week"}))', _READ
                ),
                "{{office}}",
            )
        ],
        zero_is_good=True,
    ),
    bars(
        "Ended cases, by reason",
        describe(
            "every reason occurs, most often a departure.",
            "none at all: the offices report no ends, so that caseloads only grow.",
        ),
        [Query(or_zero("sort_desc(sum by (reason) (icam_cases_ended))", _READ), "{{reason}}")],
    ),
    graph(
        "Ended and reopened per day",
        describe(
            "about as many ends as new orders, in the long run.",
            "many reopened: ends are reported in error.",
        ),
        [
            Query(
                or_zero(counted("icam_case_state_changes_total", "1d", "state"), WORKERS),
                "{{state}}",
            )
        ],
        each="1d",
    ),
)

BOARD: Final = Board(
    name="offices",
    title="Offices and load",
    description="Open cases compared with the capacity of each team, and proposals by due date. "
    "Teams for detention and triage have no capacity here; only their cases are counted.",
    rows=(BoardRow(4, _NOW), BoardRow(11, _LOADS), BoardRow(9, _CASES_OF), BoardRow(9, _WORK)),
    since="now-30d",
)
