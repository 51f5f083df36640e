"""The practical limit: aiokafka and asyncpg by hand, without any of the worker's guarantees.

One consumer; two writers that split partitions by number; greedy batches of up to 500; the next
batch is decoded while the previous one commits; offsets are committed after the database. uvloop,
garbage collector, validation, domain, SQL and relay are the worker's. It handles no rebalance, no
outage and no error in our own code, and has no metrics and no logs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams import reference
from streams.intake.batch import apply_batch
from streams.intake.record import DecodedRecord, Record, decode_record
from streams.reference import Reference
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.runtime.state import WorkerState
from streams.store import clock
from streams.store.pool import Pool, open_pool
from streams.worker.relay import Relay
from tests.bench.contenders.consumers import aiokafka_record, by_aiokafka
from tests.bench.contenders.reading import BATCH, tune_garbage_collector

_WRITERS = 2

Lists = asyncio.Queue[list[Record]]


class Writer:
    """Writes the records of every other partition, at most one transaction at a time."""

    def __init__(self, pool: Pool, ref: Reference, relay: Relay) -> None:
        self.queue: Lists = asyncio.Queue(maxsize=24)
        self.done: dict[TopicPartition, int] = {}
        self._pool, self._reference, self._relay = pool, ref, relay
        self._rest: list[Record] = []

    async def run(self) -> None:
        """Write batches until cancelled."""
        under_way: asyncio.Task[None] | None = None
        while True:
            batch = await self._take()
            items = [decode_record(record) for record in batch]
            if under_way is not None:
                await under_way
            under_way = asyncio.create_task(self._write(batch, items))
            if self.queue.empty() and not self._rest:
                await under_way

    async def _take(self) -> list[Record]:
        batch = self._rest or await self.queue.get()
        while len(batch) < BATCH and not self.queue.empty():
            batch = batch + self.queue.get_nowait()
        self._rest = batch[BATCH:]
        return batch[:BATCH]

    async def _write(self, batch: Sequence[Record], items: Sequence[DecodedRecord]) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            result = await apply_batch(conn, items, self._reference, clock.now)
        self._relay.publish(result.written)
        for record in batch:
            place = record.position
            self.done[TopicPartition(place.topic, place.partition)] = place.offset + 1


async def consume(consumer: AIOKafkaConsumer, writers: Sequence[Writer]) -> None:
    """Put each partition's records into its writer's queue; wait while the queue is full."""
    while True:
        for part, messages in (await consumer.getmany(timeout_ms=200, max_records=BATCH)).items():
            records = [aiokafka_record(message) for message in messages]
            await writers[part.partition % _WRITERS].queue.put(records)


async def commit(consumer: AIOKafkaConsumer, writers: Sequence[Writer]) -> None:
    """Commit the offsets of written records twice per second."""
    while True:
        await asyncio.sleep(0.5)
        offsets = {part: offset for writer in writers for part, offset in writer.done.items()}
        if offsets:
            await consumer.commit(offsets)


async def main() -> None:
    """Work until killed."""
    settings = Settings()
    ref = reference.load(*settings.reference_files)
    pool = await open_pool(settings.database, settings.kafka.group)
    relay = Relay(pool, settings.kafka, settings.loops, Metrics(), WorkerState())
    writers = [Writer(pool, ref, relay) for _ in range(_WRITERS)]
    consumer = by_aiokafka(settings.kafka)
    await consumer.start()
    tune_garbage_collector()
    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run())
        group.create_task(consume(consumer, writers))
        group.create_task(commit(consumer, writers))
        for writer in writers:
            group.create_task(writer.run())


if __name__ == "__main__":
    uvloop.run(main())
