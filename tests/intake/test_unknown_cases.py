"""A dead letter names a case that another transaction creates, on two connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from schemas.rejected import Reason
from streams.intake import repair
from streams.intake.batch import apply_batch
from streams.intake.record import Accepted, DecodedRecord, Malformed, decode_record
from streams.reference import Reference
from streams.store.pool import Connection, Pool
from tests.domain import given
from tests.domain.given import day, miss, order, under_id
from tests.world import World

REINVITE = "reinvite-after-first-miss"
OTHER = "case-other"


@pytest.fixture
def world(pool: Pool, ref: Reference) -> World:
    return World(pool, ref, day(5))


Act = Callable[[Connection], Awaitable[object]]


def events(world: World, case_id: str = given.CASE_ID) -> list[DecodedRecord]:
    """Return records that create a case and lead to a proposal."""
    facts = [under_id(fact, uuid4()) for fact in (order(), miss())]
    decoded = [decode_record(world.record(fact, case_id), world.now) for fact in facts]
    assert all(isinstance(record, Accepted) for record in decoded)
    return decoded


def broken(world: World, case_id: str = given.CASE_ID) -> DecodedRecord:
    record = world.record(miss(), case_id, value=b"{")
    return Malformed(record, Reason.UNDECODABLE, "a brace")


def take(world: World, *records: DecodedRecord) -> Act:
    async def act(conn: Connection) -> object:
        return await apply_batch(conn, records, world.ref, world.clock)

    return act


async def waiting(world: World) -> bool:
    return bool(await world.rows("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


async def meet(world: World, first: Act, second: Act) -> None:
    """Run two transactions: the second begins before the first has committed."""
    async with AsyncExitStack() as open_until_end:
        ours, theirs = [
            await open_until_end.enter_async_context(world.pool.acquire()) for _ in range(2)
        ]
        transaction = ours.transaction()
        await transaction.start()
        await first(ours)

        async def later() -> None:
            async with theirs.transaction():
                await second(theirs)

        other = asyncio.create_task(later())
        while not other.done() and not await waiting(world):
            await asyncio.wait([other], timeout=0.005)
        await transaction.commit()
        await other


@pytest.mark.parametrize("letter_first", [True, False])
async def test_no_proposal_stands_under_a_letter_that_came_while_the_case_was_created(
    world: World, letter_first: bool
) -> None:
    acts = [take(world, *events(world)), take(world, broken(world))]

    await meet(world, *(reversed(acts) if letter_first else acts))

    assert await world.standing() == []
    assert await world.rows("SELECT status FROM case_projection") == [("needs_repair",)]


@pytest.mark.parametrize("discard_first", [True, False])
async def test_no_proposal_is_held_back_by_a_letter_discarded_while_the_case_was_created(
    world: World, discard_first: bool
) -> None:
    await world.intake.apply([broken(world)])
    assert await world.rows("SELECT FROM case_projection") == []

    async def discard(conn: Connection) -> object:
        return await repair._discard(conn, 1, world.ref, world.clock, "nothing in it", None)

    acts = [take(world, *events(world)), discard]

    await meet(world, *(reversed(acts) if discard_first else acts))

    assert await world.standing() == [REINVITE]


async def test_letters_that_name_each_others_new_cases_do_not_deadlock(world: World) -> None:
    one = take(world, *events(world), broken(world, OTHER))
    two = take(world, *events(world, OTHER), broken(world))

    await meet(world, one, two)

    assert await world.standing() == await world.standing(OTHER) == []


async def test_a_letter_does_not_create_the_case_that_it_names(world: World) -> None:
    await world.intake.apply([broken(world)])

    assert await world.rows("SELECT FROM case_projection") == []


async def test_who_creates_one_case_keeps_nobody_from_creating_another(world: World) -> None:
    async with (
        world.pool.acquire() as ours,
        world.pool.acquire() as theirs,
        ours.transaction(),
        asyncio.timeout(30),
    ):
        await take(world, *events(world))(ours)
        async with theirs.transaction():
            await take(world, *events(world, OTHER))(theirs)

    assert await world.standing() == await world.standing(OTHER) == [REINVITE]
