"""What waits in the Kafka client is bounded, and nothing waits for it for ever."""

from __future__ import annotations

import asyncio
import gc
import math
from collections.abc import AsyncIterator, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition
from faust.types import TP

from streams.kafka.topics import BACKLOG_ORDER
from streams.worker import prefetch
from streams.worker.fetching import LaneFetcher
from streams.worker.transport import Reader

PARTITIONS = [TopicPartition(topic, number) for topic in BACKLOG_ORDER for number in range(12)]
FIRST = [tp for tp in PARTITIONS if tp.topic == BACKLOG_ORDER[0]]
LAST = [tp for tp in PARTITIONS if tp.topic == BACKLOG_ORDER[-1]]

NONE, LZ4 = 0, 3
"""Codecs, as the protocol numbers them."""


def batch(values: Iterable[bytes], *, codec: int = 0, offset: int = 0) -> bytes:
    """Return the records as one batch, as a broker sends it."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=0, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=10_000_000,
    )  # fmt: skip
    for number, value in enumerate(values):
        builder.append(number, timestamp=1, key=b"k", value=value, headers=[])
    built = builder.build()
    built[:8] = offset.to_bytes(8, "big")
    return bytes(built)


MEGABYTE = batch([b"x" * 9_000] * 110)


class Broker:
    """A client with one broker, whose partitions hold one batch of 1 MB after another."""

    topic_ids_known = True
    ids_read_at = math.inf
    _metadata_max_age_ms = 1_000

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.topic_ids: dict[str, Any] = {}
        self.cluster = SimpleNamespace(
            leader_for_partition=lambda _: 1, partitions_for_topic=lambda _: {*range(12)}
        )
        self.damaged: set[TopicPartition] = set()

    async def send(self, _: int, request: Any) -> Any:
        """Answer a fetch with a batch of each partition, until the bytes asked for are full."""
        await asyncio.sleep(0)
        room, topics = request._max_bytes, []
        for topic, asked in request.topics:
            answers: list[tuple[Any, ...]] = []
            for number, offset, _ in asked:
                found = offset.to_bytes(8, "big") + MEGABYTE[8:] if room > 0 else b""
                if found and TopicPartition(topic, number) in self.damaged:
                    found = found[:-1] + b"?"
                room -= len(found)
                answers.append((number, 0, 10**9, 10**9, [], found))
            topics.append((topic, answers))
        return SimpleNamespace(API_VERSION=4, topics=topics)


@pytest.fixture
async def fetching() -> AsyncIterator[LaneFetcher]:
    """Give a fetcher that reads all partitions from their beginning."""
    subscriptions = SubscriptionState()
    subscriptions.subscribe({*BACKLOG_ORDER})
    subscriptions.assign_from_subscribed({*PARTITIONS})
    for tp in PARTITIONS:
        subscriptions.seek(tp, 0)
    made = LaneFetcher(
        Broker(), subscriptions, fetch_max_bytes=prefetch.MOST_BYTES_OF_ANSWER, prefetch_backoff=0
    )
    await asyncio.sleep(0)  # its routine notes where reading begins
    for opened in made.opening.values():
        made.answer(opened, None)
    yield made
    await made.close()


def waiting(fetching: LaneFetcher) -> int:
    """Return how many bytes wait."""
    return sum(found._partition_records.size for found in fetching._records.values())


async def read(fetching: LaneFetcher, partitions: list[TopicPartition]) -> set[TopicPartition]:
    """Read once from these partitions, as the consumer does with those that have room."""
    return set(await fetching.fetched_records(partitions, timeout=20, max_records=400))


async def delivered(fetching: LaneFetcher, partitions: list[TopicPartition]) -> None:
    """Read from these partitions until each has delivered something."""
    missing = {*partitions}
    async with asyncio.timeout(20):
        while missing:
            missing -= await read(fetching, partitions)


async def filled(fetching: LaneFetcher, partitions: list[TopicPartition]) -> None:
    """Read only from these partitions, until no more is fetched of the others."""
    async with asyncio.timeout(20):
        while not fetching.deferred:
            await read(fetching, partitions)


async def test_partitions_without_room_hold_a_bounded_part_of_the_log(
    fetching: LaneFetcher,
) -> None:
    await filled(fetching, FIRST)
    for _ in range(50):
        assert await read(fetching, FIRST), "what has room is always delivered"

    assert 3 * waiting(fetching) < len(PARTITIONS) * len(MEGABYTE)


@pytest.mark.parametrize("roomy", [FIRST, LAST])
async def test_what_has_room_is_fetched_however_much_of_others_waits(
    fetching: LaneFetcher, roomy: list[TopicPartition]
) -> None:
    await filled(fetching, [tp for tp in PARTITIONS if tp not in roomy][:12])

    await delivered(fetching, roomy)


async def test_every_partition_is_delivered_again_once_it_has_room(fetching: LaneFetcher) -> None:
    await filled(fetching, FIRST)

    await delivered(fetching, PARTITIONS)


async def test_partitions_that_are_held_take_no_room(fetching: LaneFetcher) -> None:
    """What can't be decoded is not kept: it is fetched again later."""
    damaged = {*PARTITIONS} - {*LAST}
    fetching._client._wrapped.damaged = damaged
    async with asyncio.timeout(20):
        while {*fetching.held} != damaged:
            await read(fetching, PARTITIONS)

    await delivered(fetching, LAST)
    assert not fetching.deferred


@pytest.fixture
def _collector_rests() -> Iterator[None]:
    """Do without the garbage collector: a worker lets it run rarely."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def kept() -> int:
    """Return how many answers are in memory."""
    return sum(isinstance(one, PartitionRecords) for one in gc.get_objects())


@pytest.mark.usefixtures("_collector_rests")
async def test_an_answer_that_was_read_is_freed_at_once(fetching: LaneFetcher) -> None:
    for _ in range(50):
        await read(fetching, PARTITIONS)

    assert kept() <= len(fetching._records)


@pytest.mark.usefixtures("_collector_rests")
async def test_answers_for_an_assignment_that_ended_are_freed(fetching: LaneFetcher) -> None:
    """Rebalances follow each other in an upgrade, and each leaves what was not read."""
    for _ in range(100):  # its routine fetches, and nothing is read
        await asyncio.sleep(0)
    assert kept() >= 8

    fetching._subscriptions.begin_reassignment()
    fetching._subscriptions.assign_from_subscribed({*LAST})
    for tp in LAST:
        fetching._subscriptions.seek(tp, 0)
    for _ in range(100):  # its routine takes up the new assignment
        await asyncio.sleep(0)

    assert {*fetching.opening} == {*LAST}
    assert kept() == 0


async def test_a_deferred_partition_counts_as_read(fetching: LaneFetcher) -> None:
    """Nobody is told that a broker is silent of which nothing is asked."""
    await filled(fetching, FIRST)
    thread = SimpleNamespace(
        _consumer=SimpleNamespace(_fetcher=fetching, _subscription=fetching._subscriptions)
    )

    reader = Reader(thread)

    assert all(reader.is_fetched(TP(*tp), patience=-1) for tp in fetching.deferred)


@pytest.mark.parametrize("codec", [NONE, LZ4])
def test_what_is_decompressed_counts(codec: int) -> None:
    values = [b"x" * 9_000] * 110
    plain, sent = batch(values), batch(values, codec=codec)

    assert prefetch.size(sent) >= 0.95 * len(plain)
    assert prefetch.size(b"") == 0
    assert prefetch.size(plain[:20]) == 20
