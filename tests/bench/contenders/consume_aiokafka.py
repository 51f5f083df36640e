"""A ceiling: aiokafka delivers batches; records are decoded and validated, not stored."""

from __future__ import annotations

import uvloop

from streams.runtime.settings import Settings
from tests.bench.contenders.consumers import aiokafka_record, by_aiokafka
from tests.bench.contenders.counter import Counter
from tests.bench.contenders.reading import BATCH, tune_garbage_collector


async def main() -> None:
    """Consume the expected number of records."""
    counter = Counter()
    consumer = by_aiokafka(Settings().kafka)
    await consumer.start()
    tune_garbage_collector()
    while not counter.finished:
        for messages in (await consumer.getmany(timeout_ms=500, max_records=BATCH)).values():
            counter.begin()
            counter.count(aiokafka_record(message) for message in messages)
        await consumer.commit()
    counter.write()
    await consumer.stop()


if __name__ == "__main__":
    uvloop.run(main())
