"""Cause to effect, read from Kafka itself: record on an input topic to escalation on its topic."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from schemas.events import INPUT_TOPICS
from schemas.outcomes import ESCALATION_TOPIC


def latencies(bootstrap_servers: str, since: datetime) -> list[float]:
    """Return, for each escalation raised, milliseconds from its cause to its publication.

    The cause is the last record of the same case published before it; both ends are when the broker
    took the record, or what its producer said where the topic wants that. Escalations that a
    deadline set off are left out: their cause is the passing of time.
    """
    causes: dict[bytes, list[int]] = {}
    for message in _read(bootstrap_servers, INPUT_TOPICS):
        causes.setdefault(message.key() or b"", []).append(message.timestamp()[1])
    for instants in causes.values():
        instants.sort()
    spans = []
    for message in _read(bootstrap_servers, (ESCALATION_TOPIC,)):
        body = orjson.loads(message.value() or b"{}")
        if body.get("kind") != "raised":
            continue
        seen = message.timestamp()[1]
        instants = causes.get(message.key() or b"", [])
        at = bisect_right(instants, seen) - 1
        if at < 0 or instants[at] < since.timestamp() * 1000:
            continue
        if datetime.fromisoformat(body["due_at"]).timestamp() * 1000 <= instants[at]:
            spans.append(float(seen - instants[at]))
    return spans


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]


def _read(bootstrap_servers: str, topics: Sequence[str]) -> list[Message]:
    """Read topics from the beginning to the end they have now."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "unused", "enable.auto.commit": False}
    )
    try:
        left = 0
        found: list[Message] = []
        parts = []
        for topic in topics:
            known = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            parts += [TopicPartition(topic, number, OFFSET_BEGINNING) for number in known]
        for part in parts:
            low, high = consumer.get_watermark_offsets(part, timeout=10)
            left += high - low
        consumer.assign(parts)
        deadline = time.monotonic() + 30
        while left > 0 and time.monotonic() < deadline:
            for message in consumer.consume(500, timeout=0.5):
                if message.error() is None:
                    found.append(message)
                    left -= 1
        return found
    finally:
        consumer.close()
