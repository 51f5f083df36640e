"""The exporter's gauges match the database and disappear with their cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import Gauge

from schemas.codes import Guard
from schemas.rejected import Reason
from streams.intake import repair
from streams.intake.record import Malformed, Record
from streams.runtime.metrics import ExporterMetrics
from streams.services import canary
from streams.services.exporter.readings import OPENS, backlog, book, read_producers, silent_seconds
from streams.store.clock import now as database_now
from streams.store.events import Position
from tests.domain import given
from tests.world import World

TOPIC = "icam.appointment-missed.v1"


def values(gauge: Gauge) -> dict[tuple[str, ...], float]:
    """Return the values of a gauge by its label values, in the declared order of labels."""
    return {
        tuple(sample.labels[name] for name in gauge._labelnames): sample.value
        for family in gauge.collect()
        for sample in family.samples
    }


async def test_open_dead_letters_are_exported_until_they_are_resolved(world: World) -> None:
    metrics, calendar = ExporterMetrics(), world.ref.calendar
    await world.arrive(given.order())
    broken = world.record(given.miss(1), value=b"{")
    await world.take([broken])
    await world.intake.apply([Malformed(world.record(given.miss(2)), Reason.BUG, "x")])

    await backlog(world.pool, database_now, calendar, metrics)
    assert values(metrics.dead_letters_open) == {(TOPIC, "undecodable"): 1, (TOPIC, "bug"): 1}
    assert metrics.dead_letters_overdue._value.get() == 0

    for letter in (1, 2):
        await repair.discard(world.pool, letter, world.ref, world.clock, "seen")
    await backlog(world.pool, database_now, calendar, metrics)
    assert values(metrics.dead_letters_open) == {}
    assert metrics.dead_letters_oldest._value.get() == 0


async def test_a_dead_letter_is_overdue_after_one_working_day(world: World) -> None:
    metrics, calendar = ExporterMetrics(), world.ref.calendar
    await world.take([world.record(given.miss(1), value=b"{")])
    friday = datetime(2026, 11, 20, 15, tzinfo=given.BRUSSELS)
    await world.rows("UPDATE dead_letter SET recorded_at = $1 RETURNING 1", friday)

    async def overdue(at: datetime) -> float:
        world.now = at
        await backlog(world.pool, world.clock, calendar, metrics)
        return float(metrics.dead_letters_overdue._value.get())

    sunday, monday = friday + timedelta(days=2), friday + timedelta(days=3)
    assert await overdue(sunday) == 0
    assert await overdue(monday - timedelta(minutes=1)) == 0
    assert await overdue(monday + timedelta(minutes=1)) == 1


async def test_cases_are_exported_by_office_track_and_age_of_the_order(world: World) -> None:
    metrics = ExporterMetrics()
    world.now = given.day(10)
    await world.arrive(given.order(), case_id="case-one")
    await world.arrive(given.order(household=given.FAMILY), case_id="case-two")

    await book(world.pool, world.clock, world.ref, metrics)
    assert values(metrics.cases) == {
        ("gent", "individual", "8-30"): 1,
        ("gent", "family", "8-30"): 1,
    }

    world.now = given.day(40)
    await book(world.pool, world.clock, world.ref, metrics)
    assert values(metrics.cases) == {
        ("gent", "individual", "31-90"): 1,
        ("gent", "family", "31-90"): 1,
    }


async def test_cases_without_an_office_are_exported_by_reason(world: World) -> None:
    metrics = ExporterMetrics()
    nowhere = {"residence_postcode": None, "interception_postcode": None}
    await world.arrive(given.miss(1), case_id="case-no-order")
    await world.arrive(given.order(**nowhere), case_id="case-nowhere")
    await world.arrive(given.order(), case_id="case-known")

    await book(world.pool, world.clock, world.ref, metrics)

    reasons = values(metrics.unrouted)
    assert reasons.pop(("awaiting_order",)) == 1
    assert list(reasons.values()) == [1], "routed by a triage rule"


async def test_guards_and_escalations_are_exported_without_the_canary(world: World) -> None:
    metrics = ExporterMetrics()
    await world.arrive(given.order(), given.miss(1))
    blocking = given.circumstance(Guard.APPEAL_SUSPENSIVE_PENDING, effective_at=given.day(20))
    other = given.order(time=given.day(1)), given.miss(1, time=given.day(9)), blocking
    await world.arrive(*other, case_id="case-blocked")
    _, sent = canary.order(given.NOTIFIED)
    await world.take([Record(Position(sent.topic, 0, 999), sent.key, sent.value, sent.headers)])

    await book(world.pool, world.clock, world.ref, metrics)

    ledger = values(metrics.escalations)
    assert all(office == "gent" for office, *_ in ledger)
    everything = await world.rows("SELECT 1 FROM escalation")
    assert sum(ledger.values()) == len(everything) > 0
    assert await world.rows("SELECT 1 FROM case_projection WHERE case_id LIKE 'canary-%'")
    assert values(metrics.guards)[("appeal_suspensive_pending",)] == 1
    assert sum(values(metrics.cases).values()) == 2
    assert sum(values(metrics.cases_by_status).values()) == 2


async def test_producers_are_exported_by_name_with_their_usual_gap(world: World) -> None:
    metrics, calendar = ExporterMetrics(), world.ref.calendar
    for number in range(1, 5):
        await world.arrive(given.miss(number), case_id=f"case-{number:04d}")
    tuesday = datetime(2026, 11, 24, 9, tzinfo=given.BRUSSELS)
    await world.rows(
        "UPDATE case_event SET recorded_at = $1::timestamptz + interval '10 minutes' * nth"
        " FROM (SELECT event_id, row_number() OVER (ORDER BY case_id) AS nth FROM case_event) AS n"
        " WHERE n.event_id = case_event.event_id RETURNING 1",
        tuesday,
    )
    world.now = tuesday + timedelta(hours=2)

    await read_producers(world.pool, world.clock, calendar, metrics)

    assert values(metrics.producer_usual_gap) == {("/test",): 600}
    assert values(metrics.producer_events) == {("/test",): 4}
    assert values(metrics.producer_silent) == {("/test",): 80 * 60}


NINE = datetime(2026, 11, 25, 9, tzinfo=given.BRUSSELS)


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (NINE, 3600),
        (NINE.replace(hour=OPENS), 0),
        (NINE.replace(hour=7, minute=59), 0),
        (NINE.replace(hour=18), 0),
        (NINE.replace(day=28), 0),
        (NINE.replace(month=12, day=25), 0),
    ],
    ids=["an hour into the day", "opening", "before", "after", "Saturday", "Christmas"],
)
def test_silence_counts_only_todays_office_hours(now: datetime, seconds: float) -> None:
    last = datetime(2026, 11, 24, 17, tzinfo=UTC)

    assert silent_seconds(given.ref().calendar, last, now) == seconds
