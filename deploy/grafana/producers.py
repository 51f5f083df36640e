"""Data quality of each producer: duplicates, late events, dead letters and silence."""

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
_BY_PRODUCER: Final = "max by (producer)"
_KNOWN: Final = f"0 * {_BY_PRODUCER} (icam_producer_events_last_day)"
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
    """Return an expression for the records of an outcome in a day, by producer."""
    records = counted(f'icam_producer_records_total{{outcome="{outcome}"}}', "1d", "producer")
    return f"round({records}) or {_KNOWN}"


def _share(outcome: str) -> str:
    """Return an expression for the share of an outcome in all records of a day; 0 if none."""
    some = counted(f'icam_records_total{{outcome="{outcome}"}}', "1d")
    return or_zero(f"{some} / ({counted('icam_records_total', '1d')} > 0)", WORKERS)


_NOW: Final = (
    stat(
        "Producers silent for three usual gaps",
        describe(
            "0.",
            "see which below and call that producer: its missing events are stored nowhere else.",
        ),
        or_zero(f"count({_OVERLONG})", _READ),
        limits=NONE_IS_WELL,
        width=8,
        zero_is_good=True,
    ),
    stat(
        "Producers active in two weeks",
        describe(
            "all agreed producers.",
            "one fewer: a producer stopped; producers after the first 20 are counted as other.",
        ),
        or_zero("count(icam_producer_events_last_day)", _READ),
    ),
    stat(
        "Duplicates, share of a day's records",
        describe(
            "under 5 %; duplicates have no effect.",
            "a producer sends everything again: ask it why.",
        ),
        _share("duplicate"),
        unit="percentunit",
        limits=below(0.05, 0.2),
        decimals=1,
        zero_is_good=True,
    ),
    stat(
        "Late, share of a day's records",
        describe(
            "under 5 %.",
            "cases were decided without these events; see which producer and how late below.",
        ),
        _share("late"),
        unit="percentunit",
        limits=below(0.05, 0.2),
        decimals=1,
        zero_is_good=True,
    ),
    stat(
        "Dead letters, share of a day's records",
        describe("0 %.", "see the reasons on the board Dead letters."),
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
        "events today, none late, and silence within the usual gap.",
        "call the producer. Silence counts only today's office hours; unknown is for records that "
        "could not be read, other for producers after the first twenty.",
    ),
    ("producer",),
    (
        Column("events in a day", f"{_BY_PRODUCER} (icam_producer_events_last_day)"),
        Column(
            "last event",
            f"time() - {_BY_PRODUCER} (icam_producer_last_event_timestamp_seconds)",
            "s",
        ),
        Column("silent for", f"{_BY_PRODUCER} (icam_producer_silent_seconds)", "s"),
        Column(
            "usual gap",
            f"{_BY_PRODUCER} (icam_producer_usual_gap_seconds) or {_KNOWN}",
            "s",
            words={"0": "unknown"},
        ),
        Column("duplicates in a day", _in_a_day("duplicate"), limits=below(50, 500)),
        Column("late in a day", _in_a_day("late"), limits=below(50, 500)),
        Column("dead letters in a day", _in_a_day("dead_lettered"), limits=NONE_IS_WELL),
    ),
)

_OVER_TIME: Final = (
    graph(
        "Silence against the usual gap",
        describe(
            "under 1 in office hours, 0 outside.",
            "above 1 is longer than 99 % of the gaps of two weeks; above 3 call that producer.",
        ),
        [Query(or_zero(_SILENCE, _READ), "{{producer}}")],
        limits=below(1, 3),
        zero_is_good=True,
    ),
    graph(
        "Late per day, by producer",
        describe("few.", "one peak: a producer caught up after an outage; otherwise ask it."),
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
        "Duplicates per day, by producer",
        describe("few.", "a step: a producer sends every event twice, or sends all again."),
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
            "hours: offices enter facts some hours later.",
            "days: a producer delays its events; see which topics to the right.",
        ),
        [
            Query(quantile(0.5, "icam_event_age_seconds", "1d"), "p50"),
            Query(quantile(0.9, "icam_event_age_seconds", "1d"), "p90"),
        ],
        unit="s",
    ),
    bars(
        "Mean age of events in a day, by topic",
        describe("all similar.", "one far above the others: its producer delays the events."),
        [Query(or_zero(_MEAN_AGE, WORKERS), "{{topic}}")],
        unit="s",
    ),
    bars(
        "Dead letters in a day, by topic",
        describe("empty.", "the topic identifies the producer of a record that could not be read."),
        [Query(or_zero(counted("icam_dead_lettered_total", "1d", "topic"), WORKERS), "{{topic}}")],
        limits=below(1, 10),
        decimals=0,
        zero_is_good=True,
    ),
)

BOARD: Final = Board(
    name="producers",
    title="Data quality",
    description="Duplicates, late events, dead letters and silence, by producer.",
    rows=(BoardRow(4, _NOW), BoardRow(9, (_EACH,)), BoardRow(8, _OVER_TIME), BoardRow(8, _AGE)),
    since="now-7d",
)
