"""What people ask for is done by a worker: once, and answered whatever happens."""

from __future__ import annotations

import asyncio

import pytest

from schemas.rejected import Reason
from streams.casework import unit_of_work
from streams.intake import repair
from streams.intake.record import Malformed
from streams.store import dead_letter_requests as requests
from tests.domain import given
from tests.world import World

_SECOND = "approved by another official (second)"


async def _ask(world: World, action: requests.Action, *letters: int) -> list[int]:
    async with world.pool.acquire() as conn:
        return await requests.ask(conn, action, letters, "ticket 4711", "an official")


async def _answers(world: World, asked: list[int]) -> list[requests.Answer]:
    async with world.pool.acquire() as conn:
        found = await requests.answers(conn, asked)
    return [found[number] for number in asked if number in found]


async def _work_all(world: World) -> int:
    done = 0
    while await repair.work_next(world.pool, world.ref, world.clock) is not None:
        done += 1
    return done


@pytest.fixture
async def letters(world: World) -> World:
    """A case, and two dead letters of it: a record that can be applied, and one that can't."""
    await world.arrive(given.order(), given.miss(1))
    fixed = world.record(given.miss(2))
    await world.intake.apply([Malformed(fixed, Reason.BUG, "ZeroDivisionError at x:1")])
    await world.take([world.record(given.miss(3), value=b"{")])
    return world


async def test_requests_are_done_in_order_and_each_is_answered(letters: World) -> None:
    asked = [
        *await _ask(letters, "replay", 1, 2, 99),
        *await _ask(letters, "discard", 2, 1),
    ]

    assert await _work_all(letters) == 5
    await letters.approve(asked[3])
    assert await _work_all(letters) == 1

    assert [answer.result for answer in await _answers(letters, asked)] == [
        *("applied", "rejected", "no_such_letter"),
        *("discarded", "already_resolved"),
    ]
    assert await letters.standing() == ["outreach-after-second-miss"]
    assert await letters.rows(
        "SELECT resolution, resolved_note, resolved_by, attempts FROM dead_letter ORDER BY 1"
    ) == [
        ("discarded", "ticket 4711", f"an official (postgres), {_SECOND}", 2),
        ("replayed", "ticket 4711", "an official (postgres)", 1),
    ]


async def test_a_request_is_done_once_by_many_workers(letters: World) -> None:
    asked = await _ask(letters, "replay", 1)

    done = await asyncio.gather(*(_work_all(letters) for _ in range(4)))

    assert sum(done) == 1
    assert [answer.result for answer in await _answers(letters, asked)] == ["applied"]


async def test_a_request_on_which_our_code_fails_is_answered_and_changes_nothing(
    letters: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await _ask(letters, "discard", 1, 2)
    await _work_all(letters)
    await letters.approve(*asked)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a payload could be quoted here")

    monkeypatch.setattr(unit_of_work, "project", broken)
    await repair.work_next(letters.pool, letters.ref, letters.clock)
    monkeypatch.undo()
    assert await _work_all(letters) == 1, "the next one is not held up"

    failed, done = await _answers(letters, asked)
    assert failed == ("failed", "ZeroDivisionError; see the log of the workers")
    assert done.result == "discarded"
    open_ones = "SELECT dead_letter_id FROM dead_letter WHERE resolved_at IS NULL"
    assert await letters.rows(open_ones) == [(1,)]
    with pytest.raises(repair.RequestFailed):
        repair.raise_if_refused(failed)
