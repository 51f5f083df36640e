"""The count of open cases that get no attention finds every kind, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from streams.store import attention, statistics, worklist
from streams.store.attention import Breach
from tests.domain import given
from tests.world import World

PAUSE = 60


async def breaches(world: World) -> dict[str, int]:
    async with world.pool.acquire() as conn:
        found = await attention.breaches(conn, world.now, PAUSE)
    return {breach.value: number for breach, number in found.items() if number}


async def test_a_decided_case_gets_attention(world: World) -> None:
    await world.arrive(given.order(), given.miss(1))

    async with world.pool.acquire() as conn:
        found = await attention.breaches(conn, world.now, PAUSE)

    assert found == dict.fromkeys(Breach, 0)


@pytest.mark.parametrize(
    ("change", "breach"),
    [
        ("next_check_at = NULL", "no_next_date"),
        ("next_reason = ''", "no_reason"),
        ("owner = NULL", "no_owner"),
        ("office_id = NULL", "no_office"),
        ("next_check_at = updated_at + interval '60 days 1 second'", "too_late"),
        ("ended_at = updated_at", "ended_with_proposal"),
    ],
)
async def test_an_open_case_without_attention_is_found(
    world: World, change: str, breach: str
) -> None:
    await world.arrive(given.order(), given.miss(1))
    await world.rows(f"UPDATE case_projection SET {change}")

    assert await breaches(world) == {breach: 1}


async def test_an_ended_case_with_a_next_date_is_found_unless_it_reopens_then(
    world: World,
) -> None:
    await world.arrive(given.order(), given.ended(given.day(3)))
    assert await breaches(world) == {}

    tomorrow = world.now + timedelta(days=1)
    await world.rows("UPDATE case_projection SET next_check_at = $1", tomorrow)
    assert await breaches(world) == {"ended_with_date": 1}

    await world.rows("UPDATE case_projection SET next_reason = 'reopening'")
    assert await breaches(world) == {}


async def test_a_case_is_silent_when_nothing_was_recorded_or_raised_for_the_longest_pause(
    world: World,
) -> None:
    await world.arrive(given.order(), given.miss(1))
    long_ago = world.now - timedelta(days=PAUSE, minutes=6)
    await world.rows("UPDATE case_event SET recorded_at = $1", long_ago)
    assert await breaches(world) == {}, "an escalation was raised since"

    await world.rows("UPDATE escalation SET raised_at = $1", long_ago)
    assert await breaches(world) == {"silent": 1}

    await world.take([world.record(given.miss(2), value=b"{")])
    assert await breaches(world) == {}, "its dead letter asks for attention"


async def test_a_case_that_is_due_is_about_to_be_decided_again(world: World) -> None:
    await world.arrive(given.order())
    await world.rows(
        "UPDATE case_projection SET next_check_at = $1, owner = NULL, next_reason = NULL",
        world.now,
    )

    assert await breaches(world) == {}


async def test_the_canary_is_not_counted(world: World) -> None:
    await world.arrive(given.order(), case_id="canary-20261125")
    await world.rows("UPDATE case_projection SET next_check_at = NULL")

    assert await breaches(world) == {}


async def test_an_ended_case_is_in_no_count_of_open_cases(world: World) -> None:
    await world.arrive(given.order(), given.miss(1))
    await world.arrive(
        given.order(time=given.day(1)),
        given.ended(given.day(3)),
        case_id="case-ended",
    )

    async with world.pool.acquire() as conn:
        assert await statistics.cases_by_office(conn) == [("gent", "individual", 1)]
        assert sum(row.cases for row in await statistics.cases_by_age(conn, world.now)) == 1
        assert ("ended", 1) in await statistics.cases_by_status(conn)
        assert await statistics.ended_by_reason(conn) == [("left_voluntarily", 1)]


async def test_a_proposal_stays_due_on_its_first_date_however_often_it_is_announced(
    world: World,
) -> None:
    await world.arrive(given.order(), given.miss(1))
    (first, *_) = await _tasks(world)
    assert first.due == first.answer_by
    assert first.due is not None

    world.now = first.due + timedelta(hours=1)
    await world.deadlines.sweep(10)
    again = next(t for t in await _tasks(world) if t.escalation_id == first.escalation_id)

    assert (again.due, again.reminders, again.round) == (first.due, 1, first.round + 1)
    assert again.answer_by is not None
    assert again.answer_by > first.due
    async with world.pool.acquire() as conn:
        midnight = world.now + timedelta(hours=12)
        week = world.now + timedelta(days=3)
        (gent,) = await worklist.due_by_office(conn, world.now, midnight, week)
    assert (gent.office_id, gent.late > 0) == ("gent", True)
    assert gent.late + gent.today + gent.week + gent.later == len(await _tasks(world))


async def test_a_worklist_is_that_of_one_office_and_track(world: World) -> None:
    await world.arrive(given.order(), given.miss(1))

    assert {task.case_id for task in await _tasks(world)} == {given.CASE_ID}
    assert await _tasks(world, office="namur") == []
    assert await _tasks(world, track="family") == []


async def _tasks(
    world: World, office: str = "gent", track: str | None = None
) -> list[worklist.Task]:
    async with world.pool.acquire() as conn:
        return await worklist.tasks(conn, office, track, 100)
