"""Where reading begins, and what lies before it."""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.store.events import Position
from streams.store.gaps import Gap, GapReason, LogOpened
from streams.worker.fetching import LaneFetcher

PARTITION = TopicPartition("orders", 0)


async def test_a_search_for_a_gap_that_is_cancelled_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client's shutdown awaits the tasks that it cancels; one that raises leaves it hanging."""

    async def sought(*_: Any) -> bool:
        return True

    async def never() -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(fetcher.Fetcher, "_update_fetch_positions", sought)
    lanes = LaneFetcher.__new__(LaneFetcher)
    lanes.settling, lanes.gaps, lanes._lost_at, lanes._closed = set(), deque(), {}, True
    lanes._anew = {}
    lanes._fetch_task = asyncio.create_task(never())
    state = SimpleNamespace(has_valid_position=True, position=5, fetch_committed=never)
    assignment = SimpleNamespace(active=True, state_value=lambda _: state)
    search = asyncio.create_task(lanes._update_fetch_positions(assignment, 1, {PARTITION}))
    await asyncio.sleep(0)
    assert lanes.settling == {PARTITION}
    lanes._fetch_waiters, lanes._pending_tasks = set(), [search]

    async with asyncio.timeout(5):
        await lanes.close()

    assert (search.cancelled(), lanes.settling) == (False, set())


@pytest.mark.parametrize(("begin", "told"), [(0, False), (5, False), (6, True)])
async def test_a_group_without_an_offset_lost_only_what_lies_before_its_log(
    begin: int, told: bool
) -> None:
    """A broker that has just started may deny the offset that it gave a moment before."""

    async def denied() -> OffsetAndMetadata:
        return OffsetAndMetadata(fetcher.UNKNOWN_OFFSET, "")

    async def offsets(_node: int, asked: dict[str, Any]) -> dict[TopicPartition, Any]:
        assert asked == {"orders": [(0, fetcher.OffsetResetStrategy.EARLIEST)]}
        return {PARTITION: (begin, None)}

    lanes = LaneFetcher.__new__(LaneFetcher)
    lanes.gaps, lanes._lost_at, lanes._anew = deque(), {}, {}
    lanes.opening, lanes.settling, lanes._logs, lanes._former = {}, set(), {}, {}
    lanes._sought, lanes._client = set(), SimpleNamespace(topic_ids={})
    lanes._proc_offset_request = offsets
    state = SimpleNamespace(has_valid_position=True, position=6, fetch_committed=denied)

    await lanes._note_position(PARTITION, state, node_id=1)

    lost = Gap(Position("orders", 0, 0), 6, GapReason.NOT_COMMITTED)
    opened = LogOpened(Position("orders", 0, 6), None)
    assert lanes.take_gaps() == [*([lost] if told else []), opened]
