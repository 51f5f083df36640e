"""The mock broker has the given topics, stores records, and ends with its parent."""

from __future__ import annotations

import sys

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from streams.embedded import process
from streams.embedded.broker import PARTITIONS, EmbeddedBroker
from streams.embedded.errors import ServerDidNotStart
from tests.embedded.orphans import left_by_a_killed_parent

pytestmark = pytest.mark.server


def test_all_topics_have_the_same_number_of_partitions() -> None:
    with EmbeddedBroker(["one", "two"]) as broker:
        client = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        topics = client.list_topics(timeout=10).topics

    found = {name: len(topic.partitions) for name, topic in topics.items()}
    assert found == {"one": PARTITIONS, "two": PARTITIONS}


def test_a_record_comes_back() -> None:
    with EmbeddedBroker(["events"]) as broker:
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        producer.produce("events", key="k", value="v")
        assert producer.flush(10) == 0
        settings = {"group.id": "g", "auto.offset.reset": "earliest"}
        consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, **settings})
        consumer.subscribe(["events"])
        record = consumer.poll(15)
        consumer.close()

    assert record is not None
    assert (record.error(), record.key(), record.value()) == (None, b"k", b"v")


def test_a_broker_that_ends_at_once_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(ServerDidNotStart, match="code 1"):
        EmbeddedBroker(["events"]).start()


def test_it_is_gone_after_stop() -> None:
    broker = EmbeddedBroker(["events"])
    broker.start()
    assert broker.running

    broker.stop()

    assert not broker.running


def test_it_is_gone_when_its_parent_is_killed() -> None:
    [pid] = left_by_a_killed_parent(
        "from streams.embedded.broker import EmbeddedBroker\n"
        "broker = EmbeddedBroker(['events'])\n"
        "broker.start()\n"
        "print(broker._process.pid, flush=True)"
    )

    assert process.ended(pid, 10)
