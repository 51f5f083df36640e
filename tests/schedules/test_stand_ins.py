"""The stand-ins give the guarantees that the code under test relies on."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any
from unittest.mock import Mock

import asyncpg
import pytest

from tests.schedules.database import GONE, LOCK_TIMEOUT, Database, Transaction
from tests.schedules.inputs import START
from tests.schedules.install import STAND_INS, operations
from tests.schedules.loop import Process, VirtualLoop

ROWS = "case_projection"


def played(play: Callable[[Database], Coroutine[Any, Any, None]]) -> float:
    """Run a scenario on an empty database; return its virtual seconds."""
    loop = VirtualLoop(lambda: 0.0)
    try:
        loop.run_until_complete(play(Database(START, Random(0), Mock(), lambda _: None)))
        return loop.time()
    finally:
        loop.close()


async def later(seconds: float, call: Callable[[], object]) -> None:
    await asyncio.sleep(seconds)
    call()


def begun(database: Database, *keys: str) -> list[Transaction]:
    """Return two transactions after a third committed a row of each key."""
    first = Transaction(database)
    for key in keys:
        first.write(ROWS, key, "old")
    first.commit()
    return [Transaction(database), Transaction(database)]


@pytest.mark.parametrize(
    ("real", "stand_in"),
    [
        pytest.param(getattr(real, name), function, id=f"{real.__name__}.{name}")
        for real, module in STAND_INS
        for name, function in operations(module).items()
    ],
)
def test_each_is_called_like_what_it_stands_for(
    real: Callable[..., Any], stand_in: Callable[..., Any]
) -> None:
    assert inspect.signature(stand_in) == inspect.signature(real)


def test_a_row_lock_blocks_until_its_transaction_ends_and_shows_what_it_wrote() -> None:
    async def play(database: Database) -> None:
        one, two = begun(database, "a")
        await one.lock(ROWS, "a")
        one.write(ROWS, "a", "new")
        assert two.get(ROWS, "a") == "old"
        assert not two.locks(ROWS, "a"), "skipped, not waited for"
        ending = asyncio.create_task(later(3, one.commit))
        await two.lock(ROWS, "a")
        assert two.get(ROWS, "a") == "new"
        await ending

    assert played(play) == 3


@pytest.mark.parametrize("commits", [True, False])
def test_an_insert_waits_for_that_of_the_same_key(commits: bool) -> None:
    async def play(database: Database) -> None:
        one, two = Transaction(database), Transaction(database)
        assert await one.insert(ROWS, "a", "one")
        ending = asyncio.create_task(later(3, one.commit if commits else one.rollback))
        assert await two.insert(ROWS, "a", "two") is not commits
        two.commit()
        assert database.get(ROWS, "a") == ("one" if commits else "two")
        await ending

    assert played(play) == 3


def test_a_transaction_is_applied_whole_or_not_at_all() -> None:
    async def play(database: Database) -> None:
        one, two = begun(database, "a")
        one.write(ROWS, "a", GONE)
        one.write(ROWS, "b", "new")
        one.rollback()
        one.commit()
        assert dict(two.rows(ROWS)) == {"a": "old"}

    played(play)


def test_two_that_wait_for_each_other_are_told() -> None:
    async def play(database: Database) -> None:
        one, two = begun(database, "a", "b")
        await one.lock(ROWS, "a")
        await two.lock(ROWS, "b")
        waiting = asyncio.create_task(one.lock(ROWS, "b"))
        await asyncio.sleep(0)
        with pytest.raises(asyncpg.DeadlockDetectedError):
            await two.lock(ROWS, "a")
        two.rollback()
        await waiting

    played(play)


def test_a_lock_is_not_waited_for_for_ever() -> None:
    async def play(database: Database) -> None:
        one, two = begun(database, "a")
        await one.lock(ROWS, "a")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await two.lock(ROWS, "a")

    assert played(play) == LOCK_TIMEOUT


def test_what_was_committed_lazily_is_lost_in_a_crash_until_the_next_commit() -> None:
    async def play(database: Database) -> None:
        for key, sealed in (("kept", True), ("lost", False)):
            one, two = begun(database, key)
            one.write(ROWS, key, GONE)
            one.commit(lazily=True)
            if sealed:
                two.write(ROWS, "other", "new")
                two.commit()
        database.lose_lazy()
        assert sorted(database.tables[ROWS]) == ["lost", "other"]

    played(play)


def test_a_halted_process_does_nothing_until_it_is_resumed() -> None:
    async def play(database: Database) -> None:
        done: list[float] = []

        async def work() -> None:
            for _ in range(3):
                await asyncio.sleep(1)
                done.append(asyncio.get_running_loop().time())

        process = Process("worker")
        task = process.spawn(work())
        await asyncio.sleep(1.5)
        process.halt()
        await asyncio.sleep(5)
        assert done == [1]
        process.resume()
        await task
        assert done == [1, 6.5, 7.5]

    played(play)
