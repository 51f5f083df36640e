"""A ceiling: aiokafka hands over batches; records are decoded and validated, nothing is kept."""

from __future__ import annotations

import gc

import uvloop
from aiokafka import AIOKafkaConsumer

from schemas.events import INPUT_TOPICS
from streams.intake.record import Accepted, Record, decode_record
from streams.runtime.settings import Settings
from streams.store.events import Position
from tests.bench.contenders.self_told import SelfTold


async def main() -> None:
    """Take in the wanted records."""
    told = SelfTold()
    kafka = Settings().kafka
    consumer = AIOKafkaConsumer(
        *INPUT_TOPICS,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=kafka.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    while not told.finished:
        for part, messages in (await consumer.getmany(timeout_ms=500, max_records=500)).items():
            told.begin()
            for m in messages:
                place = Position(part.topic, part.partition, m.offset)
                told.accepted += isinstance(
                    decode_record(Record(place, m.key, m.value, m.headers)), Accepted
                )
                told.seen += 1
        await consumer.commit()
    told.tell()
    await consumer.stop()


if __name__ == "__main__":
    uvloop.run(main())
