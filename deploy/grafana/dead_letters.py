"""Dead letters: records that could not be applied and need manual handling."""

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
            "0: each is resolved within a working day.",
            "run `icam dead-letters list` and resolve the oldest first.",
        ),
        "max(icam_dead_letters_overdue)",
        limits=NONE_IS_WELL,
        zero_is_good=True,
    ),
    stat(
        "Open",
        describe(
            "0, or a few from today.",
            "`icam dead-letters list` shows each with its reason; replay or discard it.",
        ),
        or_zero("sum(icam_dead_letters_open)", _READ),
        limits=below(1, 50),
        zero_is_good=True,
    ),
    stat(
        "Age of the oldest",
        describe(
            "less than a day.",
            "more is allowed over a weekend; the panel Overdue counts working days.",
        ),
        "max(icam_dead_letters_oldest_seconds)",
        unit="s",
        limits=below(_DAY, 4 * _DAY),
        zero_is_good=True,
    ),
    stat(
        "Cases without an order because of them",
        describe(
            "0. Until the dead letter is resolved, such a case has no order and no office.",
            "resolve the dead letters that name cases first.",
        ),
        or_zero('sum(icam_cases_by_status{status="needs_repair"})', reading("cases")),
        limits=NONE_IS_WELL,
        zero_is_good=True,
    ),
    stat(
        "New in a day",
        describe(
            "0 to a few.",
            "many at once: a producer changed its events, or we deployed a bug.",
        ),
        or_zero(counted("icam_dead_lettered_total", "1d"), WORKERS),
        limits=below(10, 100),
        decimals=0,
        zero_is_good=True,
    ),
    stat(
        "New because of our bugs in a day",
        describe("0.", "the dead letter names the error; fix it, deploy, and replay."),
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
            "bug: fix our code; unknown_version and schema: a producer changed its events; "
            "id_reused: two contents under one id, ask the producer which is right.",
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
        describe("empty.", "the topic identifies the producer to call."),
        [Query(or_zero("sort_desc(sum by (topic) (icam_dead_letters_open))", _READ), "{{topic}}")],
        limits=below(1, 50),
        zero_is_good=True,
    ),
    graph(
        "Open and overdue",
        describe(
            "both return to 0 soon.", "a line that only rises: no one is resolving dead letters."
        ),
        [
            Query(or_zero("sum(icam_dead_letters_open)", _READ), "open"),
            Query("max(icam_dead_letters_overdue)", "overdue"),
        ],
        zero_is_good=True,
    ),
)

_NEW: Final = (
    graph(
        "New per hour, by reason",
        describe("none.", "the hour identifies the deployment, ours or a producer's."),
        [
            Query(
                or_zero(counted("icam_dead_lettered_total", "1h", "reason"), WORKERS), "{{reason}}"
            )
        ],
        each="1h",
        zero_is_good=True,
    ),
    graph(
        "New per hour, by topic",
        describe(
            "none.", "one topic: probably its producer; all topics: probably our own deployment."
        ),
        [Query(or_zero(counted("icam_dead_lettered_total", "1h", "topic"), WORKERS), "{{topic}}")],
        each="1h",
        zero_is_good=True,
    ),
)

BOARD: Final = Board(
    name="dead-letters",
    title="Dead letters",
    description="Records that could not be applied and need manual handling.",
    rows=(BoardRow(4, _NOW), BoardRow(8, _OPEN), BoardRow(8, _NEW)),
    since="now-7d",
)
