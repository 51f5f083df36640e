"""Real Kafka keeps acknowledged records through a kill, and leaves no process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.embedded import kafka, process
from streams.embedded.errors import ToolMissing
from streams.embedded.kafka import KafkaNode
from tests.embedded.orphans import left_by_a_killed_parent

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def libs() -> Path:
    reason = kafka.available()
    if reason is not None and os.environ.get("ICAM_REQUIRE_KAFKA") == "1":
        pytest.fail(f"ICAM_REQUIRE_KAFKA is set, but {reason}")
    if reason is not None:
        pytest.skip(reason)
    kafka.fetch()
    return kafka.LIBS


@pytest.mark.kafka
def test_an_acknowledged_record_survives_kills_and_the_end_of_its_parent(
    tmp_path: Path, libs: Path
) -> None:
    with KafkaNode(tmp_path, libs) as node:
        where = node.bootstrap_servers
        topic = NewTopic("events", num_partitions=3, replication_factor=1)
        admin = AdminClient({"bootstrap.servers": where})
        admin.create_topics([topic])["events"].result(20)
        producer = Producer({"bootstrap.servers": where, "acks": "all"})
        producer.produce("events", value="kept", partition=1)
        assert producer.flush(20) == 0

        node.kill()
        assert not node.running
        node.start()

        assert node.bootstrap_servers == where
        assert _first(where) == b"kept"

    # Another object, hence other ports, on the same directory.
    [pid, port] = left_by_a_killed_parent(
        "from pathlib import Path\n"
        "from streams.embedded.kafka import KafkaNode\n"
        f"node = KafkaNode(Path({str(tmp_path)!r}), Path({str(libs)!r}))\n"
        "node.start()\n"
        "print(node._process.pid, node.bootstrap_servers.split(':')[1], flush=True)"
    )
    assert f"127.0.0.1:{port}" != where
    assert process.ended(pid, 10)


@pytest.mark.kafka
def test_fetching_again_does_nothing(libs: Path) -> None:
    assert kafka.fetch(libs) is False


def test_without_java_it_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert "Java 17" in str(kafka.available())


def test_an_old_java_is_not_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert "this is 11" in str(kafka.available())


def test_libs_that_were_not_fetched_are_told(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="make kafka"):
        KafkaNode(tmp_path / "node", tmp_path / "libs").start()


def _first(where: str) -> bytes | None:
    consumer = Consumer({"bootstrap.servers": where, "group.id": "g"})
    consumer.assign([TopicPartition("events", 1, 0)])
    record = consumer.poll(20)
    consumer.close()
    assert record is not None
    return record.value()
