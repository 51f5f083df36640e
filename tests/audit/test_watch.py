"""The watch over committed offsets: what an audit at the end can no longer see."""

from __future__ import annotations

import time
from functools import partial
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas.codec import encode
from streams.audit import Watch, watching
from streams.audit.kafka import KafkaLog
from streams.embedded.broker import EmbeddedBroker
from tests.audit import say
from tests.audit.world import ALPHA, World

TOPIC = "icam.oqt-issued.v1"


def test_a_clean_run_is_judged_once_and_nothing_is_found(world: World) -> None:
    watch = Watch(world.log, world.url, "test")
    watch.look()
    judged = watch.check.compared
    watch.look()

    assert judged > 5
    assert (watch.check.compared, watch.looks, watch.check.findings) == (judged, 2, [])


def test_an_offset_that_was_ahead_is_found_though_the_database_caught_up(world: World) -> None:
    watch = Watch(world.log, world.url, "test")
    watch.look()
    record = encode(
        say.miss(days_ago=6), event_id=uuid4(), case_id=ALPHA, source="/test", time=say.ago(5)
    )
    place = world.produce(record)
    watch.look()

    world.store(record, place)
    watch.look()

    assert [finding.reference for finding in watch.check.findings] == [str(place)]
    found = {finding.check for finding in world.audit().findings}
    assert not found & {"log", "offsets"}, "an audit at the end sees nothing of it"


def test_what_is_not_committed_is_not_judged_before_it_is(world: World) -> None:
    watch = Watch(world.log, world.url, "test")
    watch.look()
    before = watch.check.compared
    place = world.log.put(TOPIC, b"case-other1", b"[]", ())
    watch.look()
    assert watch.check.compared == before

    world.log.commit(place)
    watch.look()
    assert [finding.reference for finding in watch.check.findings] == [str(place)]


def test_it_looks_by_itself_until_the_end(mock_broker: EmbeddedBroker, audit_database: str) -> None:
    servers = mock_broker.bootstrap_servers
    with watching(servers, audit_database, "g", every_seconds=0.05) as watch:
        deadline = time.monotonic() + 20
        while watch.looks < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        producer = Producer({"bootstrap.servers": servers})
        producer.produce(TOPIC, b"{", b"case-other1", partition=0)
        producer.flush(10)
        group = Consumer({"bootstrap.servers": servers, "group.id": "g"})
        group.commit(offsets=[TopicPartition(TOPIC, 0, 1)], asynchronous=False)
        group.close()

    assert watch.looks > 3
    assert [finding.reference for finding in watch.check.findings] == [f"{TOPIC}[0]@0"]


def test_servers_away_are_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.audit.watch.KafkaLog", partial(KafkaLog, timeout_seconds=0.5))
    none = "postgresql://postgres@127.0.0.1:1/none"
    with watching("127.0.0.1:1", none, "g", every_seconds=0.01) as watch:
        pass

    assert (watch.looks, watch.check.findings) == (0, [])
