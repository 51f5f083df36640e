"""Cases against what the teams of the offices can follow. Capacities are inferred, and dated."""

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
_LOADED: Final[Limits] = below(0.9, 1)

_NOW: Final = (
    stat(
        "Followed by a team",
        describe("about as many as orders in force.", "a fall is cases that lost their office."),
        f"sum({_CASES})",
    ),
    stat(
        "They can follow",
        describe("above the cases.", "counsellors are recruited, or offices share; it is a table."),
        "sum(icam_office_capacity)",
    ),
    stat(
        "Load of all teams",
        describe("under 90 %.", "there is no room for a peak anywhere; tell who plans the staff."),
        f"sum({_CASES}) / sum(icam_office_capacity)",
        unit="percentunit",
        limits=_LOADED,
        decimals=0,
    ),
    stat(
        "Teams above capacity",
        describe("0.", "see which, and whether a neighbour has room."),
        f"count({_LOAD} > 1) or on () 0 * sum(icam_office_capacity)",
        limits=below(1, 3),
        zero_is_good=True,
    ),
    stat(
        "Cases that no office follows",
        describe(
            "few, each for a reason below.", "triage decides by hand; no order: ask upstream."
        ),
        or_zero("sum(icam_cases_unrouted)", _READ),
        limits=below(50, 200),
    ),
    stat(
        "Routed or re-routed in a day",
        describe("about as many as orders.", "a flood is a new directory; none is no orders."),
        or_zero(counted("icam_routings_total", "1d"), WORKERS),
        decimals=0,
    ),
)

_LOADS: Final = (
    bars(
        "Load, by office and track",
        describe("every bar under 90 %.", "a red team forgets people first: move cases or staff."),
        [Query(f"sort_desc({_LOAD})", "{{office}} {{track}}")],
        unit="percentunit",
        limits=_LOADED,
        decimals=0,
        most=1.25,
    ),
    table(
        "Cases and capacity",
        describe("no red line.", "capacity is of the staffing table, dated and inferred: mend it."),
        ("office", "track"),
        (
            Column("cases", _CASES),
            Column("capacity", _CAPACITY),
            Column("load", _LOAD, "percentunit", _LOADED),
        ),
    ),
)

_CASES_OF: Final = (
    bars(
        "Age of the order, in days",
        describe("most under 90.", "old ones that stay are people whom nobody brings further."),
        [
            Query(or_zero(f'sum(icam_cases{{age="{age}"}})', _READ), age)
            for age in ("0-7", "8-30", "31-90", "91-365", "366+")
        ],
    ),
    bars(
        "Cases, by status",
        describe(
            "most in follow-up.", "needs_repair waits for a dead letter, awaiting_order for one."
        ),
        [Query(or_zero("sort_desc(sum by (status) (icam_cases_by_status))", _READ), "{{status}}")],
    ),
    bars(
        "Cases that no office follows, by reason",
        describe(
            "empty, or short.",
            "awaiting_order: facts came first; triage: no usable postcode, or no office open.",
        ),
        [Query(or_zero("sort_desc(sum by (reason) (icam_cases_unrouted))", _READ), "{{reason}}")],
        limits=below(50, 200),
        zero_is_good=True,
    ),
    graph(
        "Routed each day, by office",
        describe(
            "in last month's proportions.",
            "an office that gets none may be closed in the directory.",
        ),
        [Query(or_zero(counted("icam_routings_total", "1d", "office"), WORKERS), "{{office}}")],
        each="1d",
    ),
)

BOARD: Final = Board(
    name="offices",
    title="Offices and load",
    description="Cases against what each team can follow. Teams in detention and triage have no "
    "capacity of ours and are counted by case only.",
    rows=(BoardRow(4, _NOW), BoardRow(11, _LOADS), BoardRow(9, _CASES_OF)),
    since="now-30d",
)
