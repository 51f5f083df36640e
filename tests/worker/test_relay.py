"""The outbox reaches the topics in order for each case. On the test double: real Kafka is judged
in tests/pipeline."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from confluent_kafka import Consumer

from schemas.outcomes import CASE_ROUTED_TOPIC, ESCALATION_TOPIC
from streams.embedded.broker import EmbeddedBroker
from streams.runtime.settings import KafkaSettings, LoopSettings
from streams.store.outbox import OutboxEntry, Pending
from streams.worker.relay import Relay, waves
from tests.domain import given
from tests.world import World


def test_no_wave_holds_two_entries_of_one_topic_and_case() -> None:
    entries = [
        Pending(n, OutboxEntry(str(uuid4()), topic, case, {}, b"{}"))
        for n, (topic, case) in enumerate(
            [("a", "x"), ("a", "y"), ("a", "x"), ("b", "x"), ("a", "x"), ("a", "y")]
        )
    ]

    split = waves(entries)

    assert [[item.position for item in wave] for wave in split] == [[0, 1, 3], [2, 5], [4]]
    assert waves([]) == []


@pytest.fixture
async def relay(world: World, mock_broker: EmbeddedBroker) -> AsyncIterator[Relay]:
    kafka = KafkaSettings(bootstrap_servers=mock_broker.bootstrap_servers)
    made = Relay(world.pool, kafka, LoopSettings(), world.metrics, world.state)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_everything_decided_is_published_with_its_own_bytes(
    world: World, relay: Relay, mock_broker: EmbeddedBroker
) -> None:
    await world.arrive(given.order())
    await world.arrive(given.miss(1))
    await world.arrive(given.miss(2))
    relay.wake()
    async with asyncio.timeout(20):
        while await world.rows("SELECT 1 FROM outbox_pending"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    expected = await world.rows("SELECT topic, key, body::text FROM outbox ORDER BY position")
    sent = await asyncio.to_thread(_read, mock_broker.bootstrap_servers, len(expected))
    for topic in (CASE_ROUTED_TOPIC, ESCALATION_TOPIC):
        assert [m[1:] for m in sent if m[0] == topic] == [m[1:] for m in expected if m[0] == topic]


def _read(servers: str, wanted: int) -> list[tuple[str, str, str]]:
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": "reader", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([CASE_ROUTED_TOPIC, ESCALATION_TOPIC])
    found: list[tuple[str, str, str]] = []
    for _ in range(40):
        for message in consumer.consume(wanted, timeout=0.5):
            key, value = message.key() or b"", message.value() or b""
            found.append((message.topic() or "", key.decode(), value.decode()))
        if len(found) >= wanted:
            break
    consumer.close()
    return found
