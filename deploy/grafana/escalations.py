"""What is proposed to officials: how much stands, where, and what is taken back."""

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
        "Open",
        describe("about as many as last week.", "if it only grows, officials do not get to them."),
        or_zero(f"sum({_OPEN})", _READ),
    ),
    stat(
        "Open at level 3 or above",
        describe("few: each asks a person to review a file.", "see which office they wait in."),
        or_zero('sum(icam_escalations{state="open", level=~"[345]"})', _READ),
    ),
    stat(
        "Raised in a day",
        describe(
            "like other working days.", "a multiple of it: a new policy, or facts that are gone."
        ),
        or_zero(counted(_RAISED, "1d"), WORKERS),
        decimals=0,
    ),
    stat(
        "Withdrawn in a day",
        describe(
            "some, for facts come late.", "see the reasons below; many guards: good news came."
        ),
        or_zero(counted(_WITHDRAWN, "1d"), WORKERS),
        decimals=0,
    ),
    stat(
        "99 % announced within",
        describe(
            "under 30 s, over the last hour: that is promised.", "see Publishing, Stream health."
        ),
        quantile(0.99, "icam_announced_seconds", "1h", 'topic="icam.escalation.v1"'),
        unit="s",
        limits=below(10, 30),
    ),
    stat(
        "Kinds of guard that block",
        describe("most of the seventeen.", "0 means that guards are not read: stop and find out."),
        or_zero("count(icam_guards_blocking > 0)", _READ),
        limits=((None, "red"), (1, "green")),
    ),
)

_STANDING: Final = (
    bars(
        "Open, by level",
        describe(
            "fewer at each step up the ladder.", "a high level above a lower one wants a look."
        ),
        [
            Query(or_zero(f'sum(icam_escalations{{state="open", level="{level}"}})', _READ), name)
            for level, name in ((n, f"level {n}") for n in range(1, 6))
        ],
    ),
    bars(
        "Open, by rule",
        describe("as usual.", "one rule far above its usual: read some with `icam escalations`."),
        [Query(or_zero(f"sort_desc(sum by (rule) ({_OPEN}))", _READ), "{{rule}}")],
    ),
    bars(
        "Open, by office",
        describe("in proportion to the caseload.", "see Offices for the load of its team."),
        [Query(or_zero(f"sort_desc(sum by (office) ({_OPEN}))", _READ), "{{office}}")],
    ),
)

_MOVING: Final = (
    graph(
        "Raised each day, by level",
        describe("like last week.", "a step up on a day of deployment: the policy changed."),
        [Query(or_zero(counted(_RAISED, "1d", "level"), WORKERS), "level {{level}}")],
        each="1d",
    ),
    graph(
        "Withdrawn each day, by reason",
        describe(
            "guard and no_longer_holds: facts that came late.",
            "open_dead_letter: work the dead letters; policy_changed: expected once, not twice.",
        ),
        [Query(or_zero(counted(_WITHDRAWN, "1d", "reason"), WORKERS), "{{reason}}")],
        each="1d",
    ),
    bars(
        "Cases in which a guard blocks",
        describe(
            "the terms lead: most cases are inside one.",
            "one that is gone altogether: its producer may be silent.",
        ),
        [Query(or_zero("sort_desc(icam_guards_blocking)", _READ), "{{guard}}")],
    ),
)

BOARD: Final = Board(
    name="escalations",
    title="Escalations",
    description="What is proposed to officials, and what is taken back. Each is for a person to "
    "decide.",
    rows=(BoardRow(4, _NOW), BoardRow(8, _STANDING), BoardRow(10, _MOVING)),
    since="now-30d",
)
