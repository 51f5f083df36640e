"""The aiokafka consumer that the hand-written contenders of our own code share."""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer

from schemas.events import INPUT_TOPICS
from streams.intake.record import Record
from streams.runtime.settings import KafkaSettings
from streams.store.events import Position


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
    """Return the record in a message of aiokafka."""
    place = Position(message.topic, message.partition, message.offset)
    return Record(place, message.key, message.value, message.headers)
