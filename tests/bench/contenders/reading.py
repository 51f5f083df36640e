"""Reading Kafka with librdkafka, and garbage collector settings, for contenders of every kind.

It imports nothing of the worker: the rivals and the floor use it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any, NamedTuple

from confluent_kafka import Consumer

from schemas.envelope import Headers
from schemas.events import INPUT_TOPICS
from streams.runtime.settings import KafkaSettings

BATCH = 500
"""Records of a batch at most."""


class Received(NamedTuple):
    """One record as a library delivered it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int


def tune_garbage_collector() -> None:
    """Set the garbage collector as the worker does: batches keep many objects alive."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def confluent_batches(kafka: KafkaSettings) -> Iterator[list[Received]]:
    """Yield batches of the input topics without end; commit a batch when the next is asked for."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": kafka.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(list(INPUT_TOPICS))
    try:
        while True:
            messages = [m for m in consumer.consume(BATCH, timeout=0.05) if m.error() is None]
            if messages:
                yield [_received(message) for message in messages]
                consumer.commit(asynchronous=True)
    finally:
        consumer.close()


def _received(message: Any) -> Received:
    return Received(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        message.headers() or (),
        message.timestamp()[1],
    )
