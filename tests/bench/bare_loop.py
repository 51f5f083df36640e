"""The floor: aiokafka hands over batches; records are decoded and validated, nothing is kept."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time

from aiokafka import AIOKafkaConsumer

from schemas.events import INPUT_TOPICS
from streams.records import Accepted, Record, judge
from streams.settings import Settings
from streams.store.events import Position


async def main(wanted: int) -> None:
    """Take in ``wanted`` records and print what it took as one JSON object."""
    consumer = AIOKafkaConsumer(
        *INPUT_TOPICS,
        bootstrap_servers=Settings().kafka.bootstrap_servers,
        group_id=Settings().kafka.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    seen = accepted = 0
    begun = 0.0
    while seen < wanted:
        for part, messages in (await consumer.getmany(timeout_ms=500, max_records=500)).items():
            if not begun:
                begun, cpu = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
            for message in messages:
                position = Position(part.topic, part.partition, message.offset)
                record = Record(position, message.key, message.value, message.headers)
                accepted += isinstance(judge(record), Accepted)
                seen += 1
        await consumer.commit()
    seconds, used = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_SELF)
    await consumer.stop()
    spent = used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime
    print(json.dumps({"rate": seen / seconds, "cpu_us": 1e6 * spent / seen, "accepted": accepted}))


asyncio.run(main(int(sys.argv[1])))
