"""Repeat work that fails for reasons that pass, once or periodically; do long work in turns.

This package knows no database, so the caller hands in ``is_transient``, the test for an error that
passes without a change of code or data. Any other error ends the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import NoReturn, TypeAlias, TypeVar

T = TypeVar("T")

IsTransient: TypeAlias = Callable[[Exception], bool]
"""Whether the same work may succeed later without a change of code or data."""


async def retry(
    work: Callable[[], Awaitable[T]],
    *,
    pause: Callable[[int], float],
    is_transient: IsTransient,
    on_away: Callable[[Exception, int], None],
) -> T:
    """Repeat the work until it succeeds; return its result.

    After each transient error ``on_away`` gets the error and the number of failed attempts, and
    ``pause`` returns the seconds until the next attempt.

    Raises:
        Exception: the first error that is not transient.
    """
    attempt = 0
    while True:
        try:
            return await work()
        except Exception as error:
            if not is_transient(error):
                raise
            _raise_if_cancelled()
            attempt += 1
            on_away(error, attempt)
        await asyncio.sleep(pause(attempt))


async def periodic(
    work: Callable[[], Awaitable[T]],
    *,
    pause: Callable[[T | None, float], float],
    is_transient: IsTransient,
    on_away: Callable[[Exception], None] = lambda _: None,
) -> NoReturn:
    """Run the work again and again until cancelled.

    ``pause`` gets the result and the seconds that the run took, and returns the seconds until the
    next run. After a transient error the result is None, and ``on_away`` gets the error first.

    Raises:
        Exception: the first error that is not transient.
    """
    while True:
        started = time.monotonic()
        result: T | None = None
        try:
            result = await work()
        except Exception as error:
            if not is_transient(error):
                raise
            _raise_if_cancelled()
            on_away(error)
        await asyncio.sleep(pause(result, time.monotonic() - started))


async def in_turns(items: Iterable[T], at_once: int) -> AsyncIterator[T]:
    """Yield the items; after each ``at_once`` of them let the other tasks of the loop run.

    Work without a wait holds up every other task. The caller may be cancelled at each turn.
    """
    for number, item in enumerate(items):
        if number and number % at_once == 0:
            await asyncio.sleep(0)
        yield item


def _raise_if_cancelled() -> None:
    """Raise CancelledError in a cancelled task whose work raised another error in its place.

    A database client that is cancelled during a query can end with an error of the connection.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
