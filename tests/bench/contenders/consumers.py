"""Kafka consumers and garbage collector settings that the hand-written contenders share."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer

from schemas.events import INPUT_TOPICS
from streams.intake.record import Record
from streams.runtime.settings import KafkaSettings
from streams.store.events import Position

BATCH = 500
"""Records of a batch at most."""


def tune_garbage_collector() -> None:
    """Set the garbage collector as the worker does: batches keep many objects alive."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def by_aiokafka(kafka: KafkaSettings) -> AIOKafkaConsumer:
    """Return a consumer of the input topics; the caller starts it and commits offsets."""
    return AIOKafkaConsumer(
        *INPUT_TOPICS,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=kafka.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )


def aiokafka_record(message: Any) -> Record:
    """Return the record in a message of aiokafka or Bytewax."""
    place = Position(message.topic, message.partition, message.offset)
    return Record(place, message.key, message.value, message.headers)


def confluent_batches(kafka: KafkaSettings) -> Iterator[list[Record]]:
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
                yield [_confluent_record(message) for message in messages]
                consumer.commit(asynchronous=True)
    finally:
        consumer.close()


def _confluent_record(message: Any) -> Record:
    place = Position(message.topic(), message.partition(), message.offset())
    return Record(place, message.key(), message.value(), message.headers() or ())
