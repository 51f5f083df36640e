"""Work is repeated after errors that pass, and other errors end the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from streams.runtime.loop import in_turns, periodic, retry


class Away(Exception):
    """A server does not answer."""


def is_away(error: Exception) -> bool:
    return isinstance(error, Away)


class Work:
    """Gives its results in order; an exception among them is raised."""

    def __init__(self, *results: int | Exception) -> None:
        self._results = list(results)

    async def __call__(self) -> int:
        result = self._results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


async def test_a_retry_pauses_after_each_failure_and_returns_the_first_result() -> None:
    failures: list[int] = []
    pauses: list[int] = []

    def pause(attempt: int) -> float:
        pauses.append(attempt)
        return 0

    result = await retry(
        Work(Away(), Away(), 7),
        pause=pause,
        is_transient=is_away,
        on_away=lambda _, attempt: failures.append(attempt),
    )

    assert (result, failures, pauses) == (7, [1, 2], [1, 2])


async def test_a_retry_ends_with_an_error_that_does_not_pass() -> None:
    with pytest.raises(KeyError):
        await retry(
            Work(Away(), KeyError()),
            pause=lambda _: 0,
            is_transient=is_away,
            on_away=lambda *_: None,
        )


async def test_periodic_work_goes_on_after_a_failure_until_an_error_does_not_pass() -> None:
    results: list[int | None] = []
    away: list[Exception] = []

    def pause(result: int | None, took: float) -> float:
        assert took >= 0
        results.append(result)
        return 0

    with pytest.raises(KeyError):
        await periodic(
            Work(1, Away(), 2, KeyError()),
            pause=pause,
            is_transient=is_away,
            on_away=away.append,
        )

    assert results == [1, None, 2], "None where it failed"
    assert [type(error) for error in away] == [Away]


async def test_periodic_work_can_be_cancelled_while_it_pauses() -> None:
    async def work() -> None: ...

    loop = asyncio.create_task(periodic(work, pause=lambda *_: 60, is_transient=is_away))
    await asyncio.sleep(0)
    loop.cancel()

    with pytest.raises(asyncio.CancelledError):
        await loop


def _periodic(work: Callable[[], Awaitable[None]]) -> Coroutine[Any, Any, None]:
    return periodic(work, pause=lambda *_: 60, is_transient=is_away)


def _retry(work: Callable[[], Awaitable[None]]) -> Coroutine[Any, Any, None]:
    return retry(work, pause=lambda _: 60, is_transient=is_away, on_away=lambda *_: None)


@pytest.mark.parametrize("repeat", [_periodic, _retry])
async def test_a_cancelled_loop_ends_though_its_work_raises_an_error_that_passes(
    repeat: Callable[[Callable[[], Awaitable[None]]], Coroutine[Any, Any, None]],
) -> None:
    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise Away from None

    loop = asyncio.create_task(repeat(work))
    await asyncio.sleep(0)
    loop.cancel()

    done, _ = await asyncio.wait([loop], timeout=5)
    assert done, "the cancellation was lost"
    assert loop.cancelled()


@pytest.mark.parametrize(("items", "turns"), [(0, 0), (3, 0), (4, 1), (10, 3)])
async def test_long_work_lets_other_tasks_run_after_every_few_items(items: int, turns: int) -> None:
    ran = 0

    async def other() -> None:
        nonlocal ran
        while True:
            ran += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    before = ran
    assert [item async for item in in_turns(range(items), 3)] == list(range(items))
    assert ran - before == turns
    task.cancel()
