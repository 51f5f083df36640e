"""The feed gives the latest state to every client, each at its own pace."""

from __future__ import annotations

import asyncio

from streams.services.web.feed import Feed


async def test_a_new_client_gets_the_latest_state_at_once() -> None:
    feed = Feed()
    feed.publish(b"one")
    feed.publish(b"two")
    assert await feed.after(0) == (2, b"two")


async def test_a_slow_client_skips_states_and_delays_no_other_client() -> None:
    feed = Feed()
    feed.publish(b"one")
    quick = asyncio.create_task(feed.after(1))
    await asyncio.sleep(0)
    feed.publish(b"two")
    assert await quick == (2, b"two")
    feed.publish(b"three")
    assert await feed.after(1) == (3, b"three")


async def test_closing_the_feed_ends_all_waits() -> None:
    feed = Feed()
    waiting = asyncio.create_task(feed.after(0))
    await asyncio.sleep(0)
    feed.close()
    assert await waiting is None
