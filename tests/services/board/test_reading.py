"""The board reads the content of the database, without the canary."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas import canary
from schemas.events import Conclusion
from streams.reference import Reference, staffing
from streams.services.board.figures import PublicFigures
from streams.services.board.reading import Reader
from streams.services.board.signals import History
from streams.services.board.state import State
from streams.services.board.steps import Steps
from streams.services.web.feed import Feed
from streams.store import clock, dead_letters, reference_tables, relay_lease
from streams.store.events import Position
from streams.store.pool import Connection, Pool
from tests.domain import given
from tests.world import World


@pytest.fixture
async def world(pool: Pool, ref: Reference) -> World:
    async with pool.acquire() as conn:
        await reference_tables.record(conn, ref.tables, ref.producers)
    return World(pool, ref)


@pytest.fixture
def reader(pool: Pool, ref: Reference) -> Reader:
    """A reader with the database's clock, which also dates what is recorded."""
    return _reader(pool, ref, clock.now)


@pytest.fixture
def on_wednesday(pool: Pool, ref: Reference) -> Reader:
    """A reader at one instant, for figures whose instants a test sets itself."""

    async def wednesday(_: Connection) -> datetime:
        return given.WEDNESDAY

    return _reader(pool, ref, wednesday)


def _reader(pool: Pool, ref: Reference, now: clock.Clock) -> Reader:
    async def pool_of() -> Pool:
        return pool

    state = State(PublicFigures([], [], staffing.load(), Steps(None)), History(150))
    return Reader(pool_of, now, ref, state, Feed(), 2.0)


async def test_an_empty_database_gives_empty_readings(reader: Reader, pool: Pool) -> None:
    live, book = await reader.live(pool), await reader.book(pool)

    assert (live.last_event, live.canary, live.outbox[0], live.due[0]) == (None, None, 0, 0)
    assert sum(live.rates) == 0
    assert (book.offices, book.reached, sum(book.due_by_hour)) == ([], [], 0)


async def test_the_holder_of_the_relay_is_read_and_how_long_there_is_none(
    reader: Reader, pool: Pool, world: World
) -> None:
    never = await reader.live(pool)
    assert never.relay is not None
    assert (never.relay.holder, never.relay.held) == ("", False)
    async with pool.acquire() as conn:
        held = await relay_lease.take(conn, "worker-1:17")
        live = await reader.live(pool)
        assert live.relay == relay_lease.Lease("worker-1:17", held.since, True, None)
        assert live.relay_free_for is None

        await relay_lease.release(conn, held.fence or 0)
    first = await reader.live(pool)
    assert (first.relay is not None, first.relay_free_for) == (True, 0.0)
    again = await reader.live(pool)
    assert 0.0 < (again.relay_free_for or 0.0) < 60.0, "given back: since the first reading"
    ended = again.as_of - timedelta(seconds=200)
    await world.rows("UPDATE relay_lease SET expires_at = $1", ended)
    assert 200.0 <= ((await reader.live(pool)).relay_free_for or 0.0) < 260.0


async def test_open_dead_letters_are_counted_by_producer(
    reader: Reader, pool: Pool, world: World
) -> None:
    for number, source in enumerate(["/agenda", "/agenda", None]):
        letter = dead_letters.DeadLetter(
            Position("icam.oqt-issued.v1", 0, number), None, b"{", (), "schema", "no", (), 0, source
        )
        async with pool.acquire() as conn:
            await dead_letters.put(conn, [letter])

    assert (await reader.live(pool)).producers == [("/agenda", 2), ("unknown", 1)]


async def test_recent_events_are_counted_by_slot(reader: Reader, world: World, pool: Pool) -> None:
    await world.arrive(given.order(), given.miss(1))
    live = await reader.live(pool)
    assert sum(live.committed.values()) == 2
    assert live.since(live.last_event) == 0
    await world.rows("UPDATE case_event SET event_id = gen_random_uuid()")
    await world.arrive(given.order(), case_id="case-of-another")
    again = await reader.live(pool)
    assert sum(again.committed.values()) == 3, "the same slot is counted again, not twice"
    assert again.last_event is not None
    assert live.last_event is not None
    assert again.last_event > live.last_event


async def test_an_event_before_the_shown_slots_is_still_the_last_event(
    reader: Reader, world: World, pool: Pool
) -> None:
    await world.arrive(given.order())
    await world.rows("UPDATE case_event SET recorded_at = recorded_at - interval '2 hours'")

    live = await reader.live(pool)
    assert live.since(live.last_event) in range(7200, 7230)
    assert sum(live.rates) == 0


async def test_the_canary_has_an_age_and_is_excluded_from_all_counts(
    on_wednesday: Reader, world: World, pool: Pool, ref: Reference
) -> None:
    today = ref.calendar.local_date(given.WEDNESDAY)
    await world.arrive(given.order(), case_id=canary.case_id(today))
    await world.rows("UPDATE case_event SET recorded_at = $1", given.WEDNESDAY)

    live, book = await on_wednesday.live(pool), await on_wednesday.book(pool)
    assert live.canary is not None
    assert (live.last_event, sum(live.committed.values())) == (None, 0)
    assert (book.offices, book.reached, book.ledger, book.moved) == ([], [], [], [])
    assert sum(book.due_by_hour) == 0


async def test_the_newest_version_of_the_last_interview_determines_the_step_of_a_case(
    reader: Reader, world: World, pool: Pool
) -> None:
    await world.arrive(given.order(), case_id="case-ordered")
    await world.rows("UPDATE case_event SET event_id = gen_random_uuid()")
    await world.arrive(given.order(), given.miss(1), case_id="case-missed")
    await world.rows("UPDATE case_event SET event_id = gen_random_uuid()")
    await world.arrive(
        given.order(),
        given.interview(1, conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED),
        given.interview(2, conclusion=Conclusion.UNDECIDED),
        case_id="case-seen",
    )
    first = "UPDATE case_event SET payload = (payload::jsonb - 'first_appointment')::json"
    await world.rows(first)

    book = await reader.book(pool)
    assert [tuple(row) for row in book.reached] == [
        ("invited", None, 1),
        ("ordered", None, 1),
        ("seen", "undecided", 1),
    ]


async def test_escalations_are_counted_by_day_and_level(
    on_wednesday: Reader, world: World, pool: Pool
) -> None:
    await world.arrive(given.order(), given.miss(1))
    book = await on_wednesday.book(pool)
    standing: Any = sum(entry.escalations for entry in book.ledger if entry.open)
    assert standing > 0
    before = given.WEDNESDAY - timedelta(days=20)
    await world.rows("UPDATE escalation SET raised_at = $1", before)
    assert (await on_wednesday.book(pool)).moved == []
    await world.rows("UPDATE escalation SET withdrawn_at = $1", given.WEDNESDAY)
    moved = (await on_wednesday.book(pool)).moved
    assert sum(m.withdrawn for m in moved) == standing
    assert {m.day for m in moved} == {book.today} == {given.WEDNESDAY.date()}


async def test_due_cases_are_counted_by_hour(
    on_wednesday: Reader, world: World, pool: Pool
) -> None:
    await world.arrive(given.order())
    soon = given.WEDNESDAY.replace(minute=59) + timedelta(hours=3)
    await world.rows("UPDATE case_projection SET next_check_at = $1", soon)

    hours = (await on_wednesday.book(pool)).due_by_hour
    assert (len(hours), hours[3], sum(hours)) == (24, 1, 1)
