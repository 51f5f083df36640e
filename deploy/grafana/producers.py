"""What each producer sends: again, late, broken, or nothing at all."""

from __future__ import annotations

from typing import Final

from deploy.grafana.layout import Board, BoardRow
from deploy.grafana.panels import (
    NONE_IS_WELL,
    Column,
    Query,
    bars,
    below,
    describe,
    graph,
    stat,
    table,
)
from deploy.grafana.promql import WORKERS, counted, or_zero, quantile, reading

_READ: Final = reading("producers")
_EACH_ONE: Final = "max by (producer)"
_KNOWN: Final = f"0 * {_EACH_ONE} (icam_producer_events_last_day)"
_SILENCE: Final = (
    "icam_producer_silent_seconds / on (producer) (icam_producer_usual_gap_seconds > 0)"
)
_OVERLONG: Final = (
    "icam_producer_silent_seconds"
    " > on (producer) clamp_min(3 * icam_producer_usual_gap_seconds, 1800)"
)
_MEAN_AGE: Final = (
    f"{counted('icam_event_age_seconds_sum', '1d', 'topic')}"
    f" / ({counted('icam_event_age_seconds_count', '1d', 'topic')} > 0)"
)


def _in_a_day(outcome: str) -> str:
    """Return how many records of an outcome each producer sent within a day."""
    records = counted(f'icam_producer_records_total{{outcome="{outcome}"}}', "1d", "producer")
    return f"round({records}) or {_KNOWN}"


def _share(outcome: str) -> str:
    """Return the share of an outcome in all records of a day; 0 of none."""
    some = counted(f'icam_records_total{{outcome="{outcome}"}}', "1d")
    return or_zero(f"{some} / ({counted('icam_records_total', '1d')} > 0)", WORKERS)


_NOW: Final = (
    stat(
        "Silent three times their usual gap",
        describe("0.", "the graph says who: call that producer, its events are kept nowhere else."),
        or_zero(f"count({_OVERLONG})", _READ),
        limits=NONE_IS_WELL,
        width=8,
        zero_is_good=True,
    ),
    stat(
        "Producers heard in two weeks",
        describe(
            "all that are agreed.", "one fewer is one that stopped; above 20 the rest is other."
        ),
        or_zero("count(icam_producer_events_last_day)", _READ),
    ),
    stat(
        "Again, of a day's records",
        describe("under 5 %; duplicates change nothing.", "a producer sends all again: ask why."),
        _share("duplicate"),
        unit="percentunit",
        limits=below(0.05, 0.2),
        decimals=1,
        zero_is_good=True,
    ),
    stat(
        "Late, of a day's records",
        describe("under 5 %.", "decisions were taken without them; see who, and how old below."),
        _share("late"),
        unit="percentunit",
        limits=below(0.05, 0.2),
        decimals=1,
        zero_is_good=True,
    ),
    stat(
        "Set aside, of a day's records",
        describe("0 %.", "the Dead letters board says why."),
        _share("dead_lettered"),
        unit="percentunit",
        limits=below(0.001, 0.01),
        decimals=1,
        board="dead-letters",
        zero_is_good=True,
    ),
)

_EACH: Final = table(
    "Each producer",
    describe(
        "events today, none late, silence within the usual gap.",
        "silence counts within today's office hours only; unknown are records that could not be "
        "read, other is what comes after the first twenty names.",
    ),
    ("producer",),
    (
        Column("events in a day", f"{_EACH_ONE} (icam_producer_events_last_day)"),
        Column(
            "last event", f"time() - {_EACH_ONE} (icam_producer_last_event_timestamp_seconds)", "s"
        ),
        Column("silent for", f"{_EACH_ONE} (icam_producer_silent_seconds)", "s"),
        Column(
            "usual gap",
            f"{_EACH_ONE} (icam_producer_usual_gap_seconds) or {_KNOWN}",
            "s",
            words={"0": "not known yet"},
        ),
        Column("again in a day", _in_a_day("duplicate"), limits=below(50, 500)),
        Column("late in a day", _in_a_day("late"), limits=below(50, 500)),
        Column("set aside in a day", _in_a_day("dead_lettered"), limits=NONE_IS_WELL),
    ),
)

_OVER_TIME: Final = (
    graph(
        "Silence against the usual gap",
        describe(
            "under 1 in office hours, 0 outside.",
            "above 1 is longer than 99 of 100 pauses of two weeks; above 3 call that producer.",
        ),
        [Query(or_zero(_SILENCE, _READ), "{{producer}}")],
        limits=below(1, 3),
        zero_is_good=True,
    ),
    graph(
        "Late each day, by producer",
        describe("few.", "a producer that catches up after an outage is late once."),
        [
            Query(
                or_zero(
                    counted('icam_producer_records_total{outcome="late"}', "1d", "producer"),
                    WORKERS,
                ),
                "{{producer}}",
            )
        ],
        each="1d",
    ),
    graph(
        "Again each day, by producer",
        describe("few.", "a step is a producer that sends twice, or starts over."),
        [
            Query(
                or_zero(
                    counted('icam_producer_records_total{outcome="duplicate"}', "1d", "producer"),
                    WORKERS,
                ),
                "{{producer}}",
            )
        ],
        each="1d",
    ),
)

_AGE: Final = (
    graph(
        "Age of events when committed",
        describe(
            "hours: offices enter things when they get to it.",
            "days: a producer holds events back; the topics to the right tell which.",
        ),
        [
            Query(quantile(0.5, "icam_event_age_seconds", "1d"), "half within"),
            Query(quantile(0.9, "icam_event_age_seconds", "1d"), "90 % within"),
        ],
        unit="s",
    ),
    bars(
        "Mean age of events in a day, by topic",
        describe("alike.", "one far above the others is held back on its way."),
        [Query(or_zero(_MEAN_AGE, WORKERS), "{{topic}}")],
        unit="s",
    ),
    bars(
        "Set aside in a day, by topic",
        describe("empty.", "what can't be read names no producer for sure; the topic does."),
        [Query(or_zero(counted("icam_dead_lettered_total", "1d", "topic"), WORKERS), "{{topic}}")],
        limits=below(1, 10),
        decimals=0,
        zero_is_good=True,
    ),
)

BOARD: Final = Board(
    name="producers",
    title="Data quality",
    description="What each producer sends: again, late, broken, or nothing at all.",
    rows=(BoardRow(4, _NOW), BoardRow(9, (_EACH,)), BoardRow(8, _OVER_TIME), BoardRow(8, _AGE)),
    since="now-7d",
)
