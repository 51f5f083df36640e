"""A ceiling: librdkafka hands over batches; records are decoded and validated, nothing is kept."""

from __future__ import annotations

import gc

from confluent_kafka import Consumer

from schemas.events import INPUT_TOPICS
from streams.intake.record import Accepted, decode_record
from streams.runtime.settings import Settings
from tests.bench.contenders.peer import record_of
from tests.bench.contenders.self_told import SelfTold


def main() -> None:
    """Take in the wanted records."""
    told = SelfTold()
    kafka = Settings().kafka
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": kafka.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(list(INPUT_TOPICS))
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    while not told.finished:
        messages = [m for m in consumer.consume(500, timeout=0.05) if m.error() is None]
        if not messages:
            continue
        told.begin()
        told.accepted += sum(isinstance(decode_record(record_of(m)), Accepted) for m in messages)
        told.seen += len(messages)
        consumer.commit(asynchronous=True)
    told.tell()
    consumer.close()


if __name__ == "__main__":
    main()
