"""Faults that other projects reported, on the real job and real servers (docs/reports.md)."""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from pydantic import SecretStr

from schemas.codec import Outgoing, encode
from schemas.outcomes import CASE_ROUTED_TOPIC
from streams.audit import Report
from streams.runtime.metrics import Metrics
from streams.runtime.settings import DatabaseSettings, LoopSettings
from streams.runtime.state import WorkerState
from streams.store import unit_of_work
from streams.store.outbox import OutboxEntry
from streams.store.pool import open_pool
from streams.store.unit_of_work import Change
from streams.worker.relay import Relay
from tests.domain import given
from tests.pipeline.stage import Stage, until

pytestmark = [pytest.mark.kafka, pytest.mark.any_date]

_ORDERS = "icam.oqt-issued.v1"
_UNLIMITED = str(2**63 - 1)


def test_times_in_another_unit_stop_neither_worker_nor_audit(stage: Stage) -> None:
    """More records than a worker may fail on, on a topic where the producer sets the time."""
    _set(
        stage,
        {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": _UNLIMITED},
    )
    worker = stage.worker("worker")
    worker.start()
    orders = [_order(number) for number in range(8)]
    producer = Producer({"bootstrap.servers": stage.kafka.bootstrap_servers})
    for order, stamp in zip(orders, 4 * [time.time_ns(), time.time_ns() // 1000], strict=True):
        producer.produce(
            order.topic, order.value, order.key, headers=list(order.headers), timestamp=stamp
        )
    assert producer.flush(10) == 0
    stage.drain(20)

    assert stage.in_log() == len(orders)
    assert stage.query("SELECT count(*) FROM dead_letter") == [(0,)]
    assert worker.ready()
    report: Report = stage.audit()
    assert report.findings == ()


def test_a_worker_that_the_group_refuses_says_so_and_asks_again(stage: Stage) -> None:
    """Kafka's shortest session is 6 s by default. The client would wait in silence."""
    worker = stage.worker("refused", ICAM_KAFKA__SESSION_TIMEOUT_SECONDS="5")
    worker.start(wait=False)

    def refused() -> bool:
        return worker.probe("readyz")[1].get("membership_refused") is True

    until(refused, 20, "readiness says why")
    assert worker.probe("livez")[0] == 200, "a restart would not help"
    told = worker.log.read_text()
    assert "InvalidSessionTimeoutError" in told
    assert "ICAM_KAFKA__SESSION_TIMEOUT_SECONDS" in told, "it says what to do"
    assert worker.stop() == 0


async def test_what_the_brokers_took_is_not_sent_again_when_they_do_not_take_the_rest(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under a quota, which lets a part of a wave through at a time."""
    monkeypatch.setattr("streams.worker.relay._TIMEOUT_MS", 2_000)
    state = WorkerState()
    settings = DatabaseSettings(url=SecretStr(stage.postgres.url))
    pool = await open_pool(settings, "test")
    topics = [CASE_ROUTED_TOPIC] * 5 + ["icam.not-taken.v1"]
    entries = [
        OutboxEntry(str(uuid4()), topic, f"case-{n}", {}, b"{}") for n, topic in enumerate(topics)
    ]
    async with pool.acquire() as conn:
        await unit_of_work.write(conn, Change(given.LATER, entries=entries))
    relay = asyncio.create_task(
        Relay(pool, stage.kafka, LoopSettings(), Metrics(state), state).run()
    )

    async with asyncio.timeout(20):
        while not state.relay_failing:  # noqa: ASYNC110 - the relay has no event for it
            await asyncio.sleep(0.05)

    left = stage.query("SELECT topic FROM outbox JOIN outbox_pending USING (position)")
    assert left == [("icam.not-taken.v1",)]
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)
    pool.terminate()


def _order(number: int) -> Outgoing:
    fact = given.order()
    return encode(
        fact.event,
        event_id=uuid4(),
        case_id=f"case-report-{number}",
        source="/test",
        time=fact.time,
    )


def _set(stage: Stage, values: dict[str, str]) -> None:
    """Set properties of the topic of orders, as somebody else's topic may have them."""
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap_servers})
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in values.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, _ORDERS, incremental_configs=entries)
    for changed in admin.incremental_alter_configs([resource]).values():
        changed.result(10)
