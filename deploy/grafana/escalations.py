"""Escalations proposed to officials: standing, raised and withdrawn."""

from __future__ import annotations

from typing import Final

from deploy.grafana.layout import Board, BoardRow
from deploy.grafana.panels import Query, bars, below, describe, graph, stat
from deploy.grafana.promql import WORKERS, counted, or_zero, quantile, reading

_READ: Final = reading("cases")
_OPEN: Final = 'icam_escalations{state="open"}'
_RAISED: Final = "icam_escalations_raised_total"
_WITHDRAWN: Final = "icam_escalations_withdrawn_total"

_NOW: Final = (
    stat(
        "Standing",
        describe("about as many as last week.", "steady growth: officials do not process them."),
        or_zero(f"sum({_OPEN})", _READ),
    ),
    stat(
        "Standing at level 3 or above",
        describe("few: each requires an official to review a file.", "see Standing, by office."),
        or_zero('sum(icam_escalations{state="open", level=~"[345]"})', _READ),
    ),
    stat(
        "Raised in a day",
        describe(
            "as on other working days.",
            "several times as many: a new policy, or a producer whose facts are missing.",
        ),
        or_zero(counted(_RAISED, "1d"), WORKERS),
        decimals=0,
    ),
    stat(
        "Withdrawn in a day",
        describe(
            "some, because facts arrive late.",
            "see Withdrawn per day, by reason; many by guard: many blocking facts arrived.",
        ),
        or_zero(counted(_WITHDRAWN, "1d"), WORKERS),
        decimals=0,
    ),
    stat(
        "Announcement latency, p99",
        describe(
            "under 30 s over the last hour: our objective.",
            "see Publish latency on the board Stream health.",
        ),
        quantile(0.99, "icam_announced_seconds", "1h", 'topic="icam.escalation.v1"'),
        unit="s",
        limits=below(10, 30),
    ),
    stat(
        "Guards that block a case",
        describe(
            "most guards block a case.",
            "0 means that guards are not evaluated: stop the workers and find the cause.",
        ),
        or_zero("count(icam_guards_blocking > 0)", _READ),
        limits=((None, "red"), (1, "green")),
    ),
)

_STANDING: Final = (
    bars(
        "Standing, by level",
        describe(
            "fewer at each higher level.", "check why a level has more than the level below it."
        ),
        [
            Query(or_zero(f'sum(icam_escalations{{state="open", level="{level}"}})', _READ), name)
            for level, name in ((n, f"level {n}") for n in range(1, 6))
        ],
    ),
    bars(
        "Standing, by rule",
        describe(
            "as usual.", "one rule far above its usual number: read some with `icam escalations`."
        ),
        [Query(or_zero(f"sort_desc(sum by (rule) ({_OPEN}))", _READ), "{{rule}}")],
    ),
    bars(
        "Standing, by office",
        describe("in proportion to the caseload.", "see the load of its team on Offices and load."),
        [Query(or_zero(f"sort_desc(sum by (office) ({_OPEN}))", _READ), "{{office}}")],
    ),
)

_CHANGES: Final = (
    graph(
        "Raised per day, by level",
        describe("as last week.", "a step on the day of a deployment: the policy changed."),
        [Query(or_zero(counted(_RAISED, "1d", "level"), WORKERS), "level {{level}}")],
        each="1d",
    ),
    graph(
        "Withdrawn per day, by reason",
        describe(
            "guard and no_longer_holds: facts that arrived late.",
            "open_dead_letter: resolve dead letters; policy_changed: normal once per new policy; "
            "reminded: proposals stay unanswered and are raised again.",
        ),
        [Query(or_zero(counted(_WITHDRAWN, "1d", "reason"), WORKERS), "{{reason}}")],
        each="1d",
    ),
    bars(
        "Cases in which a guard blocks",
        describe(
            "guards on terms block most: most cases are within a term.",
            "a guard that blocks no case any more: its producer may be silent.",
        ),
        [Query(or_zero("sort_desc(icam_guards_blocking)", _READ), "{{guard}}")],
    ),
)

BOARD: Final = Board(
    name="escalations",
    title="Escalations",
    description="Escalations proposed to officials, and those withdrawn. Officials decide on each.",
    rows=(BoardRow(4, _NOW), BoardRow(8, _STANDING), BoardRow(10, _CHANGES)),
    since="now-30d",
)
