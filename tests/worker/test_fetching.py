"""Where reading begins, and what lies before it."""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.structs import TopicPartition

from streams.worker.fetching import LaneFetcher

PARTITION = TopicPartition("orders", 0)


async def test_a_search_for_a_gap_that_is_cancelled_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client's shutdown awaits the tasks that it cancels; one that raises leaves it hanging."""

    async def sought(*_: Any) -> bool:
        return True

    async def never(*_: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(fetcher.Fetcher, "_update_fetch_positions", sought)
    lanes = LaneFetcher.__new__(LaneFetcher)
    lanes.settling, lanes.gaps, lanes._anew, lanes._closed = set(), deque(), {}, True
    lanes._lost_at = {PARTITION: 9}  # so the end of the log is asked for
    lanes._proc_offset_request = never
    lanes._fetch_task = asyncio.create_task(never())
    state = SimpleNamespace(has_valid_position=True, position=5)
    assignment = SimpleNamespace(active=True, state_value=lambda _: state)
    search = asyncio.create_task(lanes._update_fetch_positions(assignment, 1, {PARTITION}))
    await asyncio.sleep(0)
    assert lanes.settling == {PARTITION}
    lanes._fetch_waiters, lanes._pending_tasks = set(), [search]

    async with asyncio.timeout(5):
        await lanes.close()

    assert (search.cancelled(), lanes.settling) == (False, set())
