"""One state for all who watch, each at its own pace."""

from __future__ import annotations

import asyncio

from streams.services.board.feed import Feed


async def test_who_comes_gets_the_latest_at_once() -> None:
    feed = Feed()
    feed.publish(b"one")
    feed.publish(b"two")
    assert await feed.after(0) == (2, b"two")


async def test_who_is_slow_misses_some_and_holds_nobody_up() -> None:
    feed = Feed()
    feed.publish(b"one")
    quick = asyncio.create_task(feed.after(1))
    await asyncio.sleep(0)
    feed.publish(b"two")
    assert await quick == (2, b"two")
    feed.publish(b"three")
    assert await feed.after(1) == (3, b"three")


async def test_all_are_let_go_when_it_closes() -> None:
    feed = Feed()
    waiting = asyncio.create_task(feed.after(0))
    await asyncio.sleep(0)
    feed.close()
    assert await waiting is None
