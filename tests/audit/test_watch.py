"""The watch on committed offsets finds violations that an audit at the end can't see."""

from __future__ import annotations

import time
from functools import partial
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas.codec import encode
from streams.audit import DatabaseUnreadable, Watch, watching
from streams.audit.kafka import KafkaLog
from streams.embedded.broker import EmbeddedBroker
from tests.audit import given
from tests.audit.world import ALPHA, World
from tests.producers import PRODUCERS

TOPIC = "icam.oqt-issued.v1"


def test_a_clean_run_is_checked_once_without_findings(world: World) -> None:
    watch = Watch(world.log, lambda: world.url, "test", PRODUCERS)
    watch.look()
    compared = watch.check.compared
    watch.look()

    assert compared > 5
    assert (watch.check.compared, watch.looks, watch.check.findings) == (compared, 2, [])


def test_the_address_of_the_database_is_read_at_each_look(world: World) -> None:
    """The password was replaced, or the database moved, while the exporter runs."""
    addresses = iter(["postgresql://postgres@127.0.0.1:1/postgres", world.url])
    watch = Watch(world.log, lambda: next(addresses), "test", PRODUCERS)

    with pytest.raises(DatabaseUnreadable):
        watch.look()
    watch.look()

    assert watch.check.compared > 5


def test_an_offset_that_was_ahead_is_found_although_the_database_caught_up(world: World) -> None:
    watch = Watch(world.log, lambda: world.url, "test", PRODUCERS)
    watch.look()
    record = encode(
        given.miss(days_ago=6), event_id=uuid4(), case_id=ALPHA, source="/test", time=given.ago(5)
    )
    place = world.produce(record)
    watch.look()

    world.store(record, place)
    watch.look()

    assert [finding.reference for finding in watch.check.findings] == [str(place)]
    found = {finding.check for finding in world.audit().findings}
    assert not found & {"log", "offsets"}, "an audit at the end does not find it"


def test_a_record_is_checked_only_after_its_commit(world: World) -> None:
    watch = Watch(world.log, lambda: world.url, "test", PRODUCERS)
    watch.look()
    before = watch.check.compared
    place = world.log.put(TOPIC, b"case-other1", b"[]", ())
    watch.look()
    assert watch.check.compared == before

    world.log.commit(place)
    watch.look()
    assert [finding.reference for finding in watch.check.findings] == [str(place)]


def test_a_watch_looks_periodically_and_once_at_the_end(
    mock_broker: EmbeddedBroker, audit_database: str
) -> None:
    servers = mock_broker.bootstrap_servers
    with watching(
        {"bootstrap.servers": servers}, audit_database, "g", PRODUCERS, every_seconds=0.05
    ) as watch:
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


def test_unreachable_servers_are_not_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.audit.watch.KafkaLog", partial(KafkaLog, timeout_seconds=0.5))
    none = "postgresql://postgres@127.0.0.1:1/none"
    with watching(
        {"bootstrap.servers": "127.0.0.1:1"}, none, "g", PRODUCERS, every_seconds=0.01
    ) as watch:
        pass

    assert (watch.looks, watch.check.findings) == (0, [])
