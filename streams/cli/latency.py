"""Measure latency from Kafka timestamps: input record to published escalation."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from schemas.outcomes import ESCALATION_TOPIC
from streams.kafka.connection import ClientConfig


def latencies(client: ClientConfig, inputs: Sequence[str], since: datetime) -> list[float]:
    """Return the milliseconds from cause to publication of each escalation raised.

    The cause is the last record of the same case published before the escalation. Both instants are
    broker timestamps, or producer timestamps if the topic uses CreateTime. Escalations that a
    deadline triggered are left out: no record caused them. So are causes before ``since``.
    """
    inputs_of_case: dict[bytes, list[int]] = {}
    for message in _read(client, inputs):
        inputs_of_case.setdefault(message.key() or b"", []).append(message.timestamp()[1])
    for instants in inputs_of_case.values():
        instants.sort()
    latencies_ms = []
    for message in _read(client, (ESCALATION_TOPIC,)):
        body = orjson.loads(message.value() or b"{}")
        if body.get("kind") != "raised":
            continue
        raised_at = message.timestamp()[1]
        instants = inputs_of_case.get(message.key() or b"", [])
        earlier = bisect_right(instants, raised_at)
        if not earlier:
            continue
        cause = instants[earlier - 1]
        if cause < since.timestamp() * 1000:
            continue
        if datetime.fromisoformat(body["due_at"]).timestamp() * 1000 <= cause:
            latencies_ms.append(float(raised_at - cause))
    return latencies_ms


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile; ``share`` is from 0 to 100."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]


def _read(client: ClientConfig, topics: Sequence[str]) -> list[Message]:
    """Return all records of the topics up to their current end. Gives up after 30 seconds."""
    config = {"group.id": "unused", "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer({**client, **config})
    try:
        messages: list[Message] = []
        partitions = []
        for topic in topics:
            numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            partitions += [TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers]
        consumer.assign(partitions)
        # Offsets say nothing about the number of records: marks of transactions have some too.
        unread = {(partition.topic, partition.partition) for partition in partitions}
        deadline = time.monotonic() + 30
        while unread and time.monotonic() < deadline:
            for message in consumer.consume(500, timeout=0.5):
                if (error := message.error()) is None:
                    messages.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.discard((message.topic() or "", message.partition() or 0))
        return messages
    finally:
        consumer.close()
