"""Lanes: order, back-pressure, and offsets that never run ahead of what was written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import INPUT_TOPICS
from streams.intake.record import Record
from streams.kafka.topics import BACKLOG_ORDER
from streams.store.events import Position
from streams.worker.lanes import Item, Lanes

ORDERS, MISSES = ("orders", 0), ("misses", 0)
OTHER = ("orders", 1)


class Writer:
    """A handler that writes when the test lets it."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[str, int, int]]] = []
        self.written: list[tuple[str, int, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def __call__(self, records: Sequence[Item]) -> None:
        batch = [(r.position.topic, r.position.partition, r.position.offset) for r in records]
        self.batches.append(batch)
        await self.gate.wait()
        if self.error:
            raise self.error
        self.written += batch


def records(partition: tuple[str, int], *offsets: int) -> list[Record]:
    return [Record(Position(*partition, offset), None, None, ()) for offset in offsets]


@asynccontextmanager
async def running(lanes: Lanes) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(lanes.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_waits_goes_in_one_batch_up_to_the_limit_and_counts_once_written() -> None:
    writer = Writer()
    writer.gate.clear()
    lanes = Lanes([writer], batch_max=3)
    lanes.put(ORDERS, records(ORDERS, 5, 6))
    lanes.put(MISSES, records(MISSES, 8, 9))
    async with running(lanes):
        await turns()
        assert lanes.done == {}, "under way is not done"
        writer.gate.set()
        await turns()

    assert writer.batches == [
        [("orders", 0, 5), ("orders", 0, 6), ("misses", 0, 8)],
        [("misses", 0, 9)],
    ]
    assert lanes.done == {ORDERS: 7, MISSES: 10}


async def test_one_partition_number_of_all_topics_is_one_writers() -> None:
    writers = [Writer(), Writer()]
    lanes = Lanes(writers, batch_max=10)
    async with running(lanes):
        for partition in (ORDERS, OTHER, MISSES):
            lanes.put(partition, records(partition, 1))
        await turns()

    assert writers[0].written == [("orders", 0, 1), ("misses", 0, 1)]
    assert writers[1].written == [("orders", 1, 1)]


async def test_one_slow_writer_holds_up_its_own_lane_only() -> None:
    slow, quick = Writer(), Writer()
    slow.gate.clear()
    lanes = Lanes([slow, quick], batch_max=2)
    async with running(lanes):
        for offset in range(5):
            lanes.put(ORDERS, records(ORDERS, offset))
            lanes.put(OTHER, records(OTHER, offset))
            await turns()
        assert not lanes.has_room(ORDERS)
        assert lanes.has_room(MISSES), "of these none waits yet"
        assert lanes.has_room(OTHER)
        assert lanes.done == {OTHER: 5}

        lanes.put(MISSES, records(MISSES, *range(4_000)))
        assert not lanes.has_room(("interviews", 0)), "too much waits for the same writer"
        assert lanes.has_room(OTHER)


async def test_of_a_backlog_the_topic_that_ranks_first_is_taken_first() -> None:
    writer = Writer()
    lanes = Lanes([writer], batch_max=3, rank=["misses", "orders"].index)
    lanes.put(ORDERS, records(ORDERS, 1, 2))
    lanes.put(MISSES, records(MISSES, 4, 5))
    async with running(lanes):
        await turns()

    assert writer.written == [
        ("misses", 0, 4),
        ("misses", 0, 5),
        ("orders", 0, 1),
        ("orders", 0, 2),
    ]
    assert [len(batch) for batch in writer.batches] == [3, 1]


async def test_a_batch_that_fails_ends_all_and_nothing_of_it_is_done() -> None:
    broken, other = Writer(), Writer()
    broken.error = ZeroDivisionError()
    lanes = Lanes([broken, other], batch_max=10)
    async with running(lanes) as task:
        lanes.put(ORDERS, records(ORDERS, 1))
        with pytest.raises(ZeroDivisionError):
            await task
        lanes.put(OTHER, records(OTHER, 1))
        await turns()

    assert lanes.done == {}
    assert other.written == [], "the other lane was cancelled with it"


async def test_settling_drops_what_waits_and_waits_for_what_is_under_way() -> None:
    writer = Writer()
    writer.gate.clear()
    lanes = Lanes([writer], batch_max=1)
    async with running(lanes):
        lanes.put(ORDERS, records(ORDERS, 1, 2, 3))
        await turns()
        assert not await lanes.settle(0.01), "it does not come to its end"
        writer.gate.set()
        assert await lanes.settle(1)
        await turns()

    assert writer.written == [("orders", 0, 1)]
    assert lanes.done == {ORDERS: 2}, "so that it can be committed before the partitions go"


async def test_what_ends_after_the_partitions_went_says_nothing_about_offsets() -> None:
    writer = Writer()
    writer.gate.clear()
    lanes = Lanes([writer], batch_max=1)
    async with running(lanes):
        lanes.put(ORDERS, records(ORDERS, 7))
        await turns()
        lanes.forget()
        lanes.put(ORDERS, records(ORDERS, 3))  # assigned again, from where another left off
        writer.gate.set()
        await turns()

    assert writer.written == [("orders", 0, 7), ("orders", 0, 3)]
    assert lanes.done == {ORDERS: 4}


def test_every_input_topic_has_its_place_in_a_backlog() -> None:
    assert sorted(BACKLOG_ORDER) == sorted(INPUT_TOPICS)


async def test_waiting_for_room_ends_when_a_batch_is_taken_or_patience_does() -> None:
    writer = Writer()
    lanes = Lanes([writer], batch_max=1)
    await lanes.room(0.01)
    async with running(lanes):
        waiting = asyncio.create_task(lanes.room(60))
        await turns()
        lanes.put(ORDERS, records(ORDERS, 1))
        await asyncio.wait_for(waiting, 1)  # noqa: TID251 - nothing else is cancelled here


async def test_a_cancellation_that_comes_with_the_room_is_not_lost() -> None:
    lanes = Lanes([Writer()], batch_max=1)
    waiting = asyncio.create_task(lanes.room(60))
    await turns()
    await lanes.settle(0)  # there is room
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@settings(max_examples=200)
@given(
    arrivals=st.lists(
        st.tuples(st.sampled_from([ORDERS, MISSES, OTHER, ("misses", 3)]), st.integers(1, 9)),
        max_size=30,
    ),
    writers=st.integers(1, 4),
    batch_max=st.integers(1, 7),
)
def test_whatever_comes_each_partition_is_written_in_order_and_done_means_written(
    arrivals: list[tuple[tuple[str, int], int]], writers: int, batch_max: int
) -> None:
    put: dict[tuple[str, int], int] = {}
    made = [Writer() for _ in range(writers)]

    async def play() -> Lanes:
        lanes = Lanes(made, batch_max, rank=["misses", "orders"].index)
        async with running(lanes):
            for partition, count in arrivals:
                first = put.get(partition, 0)
                lanes.put(partition, records(partition, *range(first, first + count)))
                put[partition] = first + count
                await asyncio.sleep(0)
                for seen, offset in lanes.done.items():
                    written = [o for w in made for t, p, o in w.written if (t, p) == seen]
                    assert written == list(range(offset)), "done, written, and nothing ahead"
            await turns(200)
        return lanes

    assert asyncio.run(play()).done == put
    assert all(len(batch) <= batch_max for writer in made for batch in writer.batches)


async def test_lanes_have_enough_to_do_when_each_writes_and_has_more() -> None:
    first, second = Writer(), Writer()
    first.gate.clear()
    second.gate.clear()
    lanes = Lanes([first, second], batch_max=2)
    async with running(lanes):
        lanes.put(ORDERS, records(ORDERS, 1, 2, 3))
        lanes.put(OTHER, records(OTHER, 1, 2))
        await turns()
        assert not lanes.all_busy(), "one has nothing for its next batch"
        lanes.put(OTHER, records(OTHER, 3))
        assert lanes.all_busy()
        first.gate.set()
        await turns()
        assert not lanes.all_busy(), "one has nothing to do"
