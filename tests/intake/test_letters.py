"""A record that could not be applied holds back what its topic may report, on a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.codes import Guard
from schemas.producers import load_producers
from streams.casework import rebuild
from streams.domain.letters import decide_by
from streams.intake import repair
from streams.intake.record import Record
from streams.reference import Reference
from streams.store import reference_tables
from streams.store.pool import Pool
from tests.domain import given
from tests.domain.given import day, miss, order
from tests.producers import FILE
from tests.world import World

SCHOOLS = "icam.circumstance-changed.v1.schools"
REGISTER = "icam.circumstance-changed.v1"
TABLE = (
    FILE.read_text().replace('reason = "Tests', 'corrects = ["/schools"]\nreason = "Tests')
    + f"""
[[producer]]
source = "/schools"
principal = "schools"
topics = ["{SCHOOLS}"]
types = ["{REGISTER}"]
circumstances = ["school_term_suspension"]
reason = "says one circumstance, which most rules waive"
"""
)
REINVITE = "reinvite-after-first-miss"


@pytest.fixture
async def world(pool: Pool, ref: Reference) -> World:
    """A worker with a source that may report one circumstance only."""
    ref = replace(ref, producers=load_producers(TABLE))
    async with pool.acquire() as conn:
        await reference_tables.record(conn, ref.tables, ref.producers)
    return World(pool, ref, day(5))


def broken(world: World, topic: str, case_id: str = given.CASE_ID) -> Record:
    """Return the least that a producer can send about a case: its key and a brace."""
    record = world.record(miss(), case_id, value=b"{", headers=())
    return record._replace(position=record.position._replace(topic=topic))


async def differing(world: World) -> int:
    async with world.pool.acquire() as conn:
        found, _ = await rebuild._compare(conn, world.ref, given.CASE_ID, None)
    return found.differing


async def test_a_brace_of_a_producer_freezes_what_it_may_report_and_nothing_else(
    world: World,
) -> None:
    await world.arrive(order(), miss())
    assert await world.standing() == [REINVITE]

    await world.take([broken(world, SCHOOLS)])

    assert await world.standing() == [REINVITE], "its rule waives the only thing it may report"
    assert await world.rows("SELECT case_ids FROM dead_letter") == [([given.CASE_ID],)]
    [(status, reason, check)] = await world.rows(
        "SELECT status, next_reason, next_check_at FROM case_projection"
    )
    assert (status, reason) == ("needs_repair", "dead_letter")
    assert check == decide_by(world.now, world.ref.calendar)
    assert await differing(world) == 0

    await world.take([broken(world, REGISTER)])

    assert await world.standing() == []
    [(because,)] = await world.rows(
        "SELECT body->>'because' FROM outbox WHERE body->>'reason' = 'open_dead_letter'"
    )
    assert f"guard {Guard.APPEAL_SUSPENSIVE_PENDING} is unknown" in because
    assert str(Guard.DEPARTURE_TERM_RUNNING) not in because, "its rule waives it"
    assert await differing(world) == 0


async def test_a_new_proposal_that_waives_the_guard_is_raised_although_the_letter_is_open(
    world: World,
) -> None:
    await world.take([broken(world, SCHOOLS)])
    await world.arrive(order())
    await world.take([broken(world, SCHOOLS)])

    await world.arrive(miss())

    assert await world.standing() == [REINVITE]


async def test_without_its_topic_in_the_table_a_letter_holds_back_everything(
    world: World, ref: Reference
) -> None:
    await world.arrive(order(), miss())
    await world.take([broken(world, SCHOOLS)])
    later = World(world.pool, ref, world.now + timedelta(seconds=1))

    await world.rows("UPDATE case_projection SET next_check_at = $1", world.now)
    assert await later.deadlines.sweep(10) == 1

    assert await later.standing() == []


async def test_a_blocked_case_comes_back_each_working_day_until_somebody_decides(
    world: World,
) -> None:
    await world.arrive(order(), miss())
    await world.take([broken(world, "icam.appointment-missed.v1")])
    announced = len(await world.announced())
    calendar = world.ref.calendar
    await world.rows("ALTER TABLE dead_letter DISABLE TRIGGER USER")
    await world.rows("UPDATE dead_letter SET recorded_at = $1", world.now)
    due = decide_by(world.now, calendar)

    for _ in range(5):
        [(check, reason, owner)] = await world.rows(
            "SELECT next_check_at, next_reason, owner FROM case_projection"
        )
        assert (check, reason, owner) == (due, "dead_letter", "team_lead")
        assert await world.deadlines.sweep(10) == 0
        world.now = due
        assert await world.deadlines.sweep(10) == 1
        assert await world.deadlines.sweep(10) == 0, "nothing loops"
        due = calendar.end_of(calendar.this_or_next_working(calendar.local_date(due)))
    assert len(await world.announced()) == announced
    assert await differing(world) == 0

    [(letter,)] = await world.rows("SELECT dead_letter_id FROM dead_letter")
    await repair.discard(world.pool, letter, world.ref, world.clock, "nothing in it")
    assert await world.standing() == [REINVITE]


async def test_a_case_that_a_worker_of_the_version_before_blocked_is_brought_back(
    world: World,
) -> None:
    await world.arrive(order(), miss())
    await world.take([broken(world, "icam.appointment-missed.v1")])
    planned = await world.rows("SELECT next_check_at FROM case_projection")
    assert await world.deadlines.mark_stale() == 0
    sixty_days = world.now + timedelta(days=60)
    await world.rows("UPDATE case_projection SET next_check_at = $1", sixty_days)

    assert await world.deadlines.mark_stale() == 1
    assert await world.deadlines.sweep(10) == 1

    assert await world.rows("SELECT next_check_at FROM case_projection") == planned
