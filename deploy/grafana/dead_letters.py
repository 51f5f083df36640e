"""Records that could not be applied, until a person resolves them."""

from __future__ import annotations

from typing import Final

from deploy.grafana.layout import Board, BoardRow
from deploy.grafana.panels import NONE_IS_WELL, Query, bars, below, describe, graph, stat
from deploy.grafana.promql import WORKERS, counted, or_zero, reading

_READ: Final = reading("backlog")
_DAY: Final = 24 * 3600

_NOW: Final = (
    stat(
        "Overdue",
        describe(
            "0: each is worked within a working day.", "`icam dead-letters list`, oldest first."
        ),
        "max(icam_dead_letters_overdue)",
        limits=NONE_IS_WELL,
        zero_is_good=True,
    ),
    stat(
        "Open",
        describe(
            "0, or a few that came today.",
            "`icam dead-letters list` shows each with its reason; replay or discard it.",
        ),
        or_zero("sum(icam_dead_letters_open)", _READ),
        limits=below(1, 50),
        zero_is_good=True,
    ),
    stat(
        "The oldest waits since",
        describe(
            "less than a day.", "over a weekend more is allowed; Overdue counts working days."
        ),
        "max(icam_dead_letters_oldest_seconds)",
        unit="s",
        limits=below(_DAY, 4 * _DAY),
        zero_is_good=True,
    ),
    stat(
        "Cases held back by them",
        describe(
            "0. Without the missing fact such a case has no order, and nobody follows it.",
            "work the letters that name cases first.",
        ),
        or_zero('sum(icam_cases_by_status{status="needs_repair"})', reading("cases")),
        limits=NONE_IS_WELL,
        zero_is_good=True,
    ),
    stat(
        "Set aside in a day",
        describe(
            "0 to a few.", "many at once: a producer changed its events, or we deployed a bug."
        ),
        or_zero(counted("icam_dead_lettered_total", "1d"), WORKERS),
        limits=below(10, 100),
        decimals=0,
        zero_is_good=True,
    ),
    stat(
        "By our own bugs in a day",
        describe("0.", "the letter names type and place; mend it, deploy, and replay them."),
        or_zero(counted('icam_dead_lettered_total{reason="bug"}', "1d"), WORKERS),
        limits=NONE_IS_WELL,
        decimals=0,
        zero_is_good=True,
    ),
)

_OPEN: Final = (
    bars(
        "Open, by reason",
        describe(
            "empty.",
            "bug is ours to mend; unknown_version and schema are a producer's change; "
            "id_reused is two contents under one id: ask the producer which holds.",
        ),
        [
            Query(
                or_zero("sort_desc(sum by (reason) (icam_dead_letters_open))", _READ), "{{reason}}"
            )
        ],
        limits=below(1, 50),
        zero_is_good=True,
    ),
    bars(
        "Open, by topic",
        describe("empty.", "the topic tells which producer to call."),
        [Query(or_zero("sort_desc(sum by (topic) (icam_dead_letters_open))", _READ), "{{topic}}")],
        limits=below(1, 50),
        zero_is_good=True,
    ),
    graph(
        "Open and overdue",
        describe("0 again soon, both.", "a line that only rises is worked by nobody."),
        [
            Query(or_zero("sum(icam_dead_letters_open)", _READ), "open"),
            Query("max(icam_dead_letters_overdue)", "overdue"),
        ],
        zero_is_good=True,
    ),
)

_COMING: Final = (
    graph(
        "Set aside each hour, by reason",
        describe("none.", "the hour tells which deployment it was, ours or a producer's."),
        [
            Query(
                or_zero(counted("icam_dead_lettered_total", "1h", "reason"), WORKERS), "{{reason}}"
            )
        ],
        each="1h",
        zero_is_good=True,
    ),
    graph(
        "Set aside each hour, by topic",
        describe("none.", "one topic alone is one producer; all of them are more likely us."),
        [Query(or_zero(counted("icam_dead_lettered_total", "1h", "topic"), WORKERS), "{{topic}}")],
        each="1h",
        zero_is_good=True,
    ),
)

BOARD: Final = Board(
    name="dead-letters",
    title="Dead letters",
    description="Records that could not be applied and wait for a person.",
    rows=(BoardRow(4, _NOW), BoardRow(8, _OPEN), BoardRow(8, _COMING)),
    since="now-7d",
)
