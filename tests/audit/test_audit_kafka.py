"""The auditor's Kafka client against a broker, and its errors when Kafka can't be read."""

from __future__ import annotations

import time
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streams.audit import DatabaseUnreadable, LogUnreadable, audit
from streams.audit.kafka import KafkaLog
from streams.audit.log import LogPosition, OffsetRange, Partition
from streams.embedded.broker import EmbeddedBroker
from tests.producers import PRODUCERS

TOPIC = "icam.oqt-issued.v1"


def test_records_ranges_and_committed_offsets_are_read(
    mock_broker: EmbeddedBroker,
) -> None:
    servers = mock_broker.bootstrap_servers
    producer = Producer({"bootstrap.servers": servers})
    headers: list[tuple[str, str | bytes | None]] = [("ce_id", b"\xff"), ("none", None)]
    for number in range(5):
        producer.produce(TOPIC, b"v%d" % number, b"k", partition=1, headers=headers)
    producer.produce(TOPIC, None, b"", partition=2)
    producer.flush(10)
    group = Consumer({"bootstrap.servers": servers, "group.id": "g"})
    group.commit(offsets=[TopicPartition(TOPIC, 1, 3)], asynchronous=False)
    group.close()

    with KafkaLog({"bootstrap.servers": servers}, timeout_seconds=10) as log:
        spans = log.spans([TOPIC])
        committed = log.committed("g", spans)
        producer.produce(TOPIC, b"too late", b"k", partition=1)
        producer.flush(10)
        records = list(log.records(spans))
        again = list(log.records({Partition(TOPIC, 1): OffsetRange(3, 5)}))

    assert spans == {
        Partition(TOPIC, 0): OffsetRange(0, 0),
        Partition(TOPIC, 1): OffsetRange(0, 5),
        Partition(TOPIC, 2): OffsetRange(0, 1),
        Partition(TOPIC, 3): OffsetRange(0, 0),
    }
    assert committed == {Partition(TOPIC, 1): 3}
    by_place = {record.place: record for record in records}
    assert by_place.keys() == {
        *(LogPosition(TOPIC, 1, offset) for offset in range(5)),
        LogPosition(TOPIC, 2, 0),
    }
    first = by_place[LogPosition(TOPIC, 1, 0)]
    assert (first.key, first.value, first.headers) == (b"k", b"v0", tuple(headers))
    assert first.timestamp is not None
    bare = by_place[LogPosition(TOPIC, 2, 0)]
    assert (bare.key, bare.value, bare.headers) == (b"", None, ())
    assert [record.place.offset for record in again] == [3, 4]


def test_a_missing_topic_is_an_error_not_a_finding(mock_broker: EmbeddedBroker) -> None:
    with (
        KafkaLog({"bootstrap.servers": mock_broker.bootstrap_servers}, timeout_seconds=5) as log,
        pytest.raises(LogUnreadable, match="icam topics"),
    ):
        log.spans(["icam.no-such-topic.v1"])


@pytest.mark.parametrize("refusals", [1, 3])
def test_a_partition_without_a_leader_is_asked_about_again(
    mock_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    """Real brokers say so while a topic is new, or moves."""
    with KafkaLog({"bootstrap.servers": mock_broker.bootstrap_servers}) as log:
        left = [KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION)] * refusals
        asking = _Refusing(log._consumer, left)
        monkeypatch.setattr(log, "_consumer", asking)

        assert log.spans([TOPIC])[Partition(TOPIC, 0)] == OffsetRange(0, 0)
        assert left == []


def test_a_partition_that_gets_no_leader_is_an_error(
    mock_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = {"bootstrap.servers": mock_broker.bootstrap_servers}
    with KafkaLog(brief, timeout_seconds=1) as log:
        left = [KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION)] * 100
        monkeypatch.setattr(log, "_consumer", _Refusing(log._consumer, left))

        with pytest.raises(LogUnreadable, match="leader"):
            log.spans([TOPIC])


class _Refusing:
    """A consumer that is refused some answers first."""

    def __init__(self, consumer: Any, refusals: list[KafkaError]) -> None:
        self._consumer, self._refusals = consumer, refusals

    def get_watermark_offsets(self, *arguments: Any) -> Any:
        if self._refusals:
            raise KafkaException(self._refusals.pop())
        return self._consumer.get_watermark_offsets(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


def test_records_that_do_not_arrive_are_an_error(mock_broker: EmbeddedBroker) -> None:
    with (
        KafkaLog({"bootstrap.servers": mock_broker.bootstrap_servers}, timeout_seconds=1) as log,
        pytest.raises(LogUnreadable, match=r"no records for 1 s"),
    ):
        list(log.records({Partition("icam.no-such-topic.v1", 0): OffsetRange(0, 3)}))


def test_the_time_that_the_reader_takes_for_a_record_is_not_silence(
    mock_broker: EmbeddedBroker,
) -> None:
    """It looks records up in the database between two records."""
    producer = Producer({"bootstrap.servers": mock_broker.bootstrap_servers})
    producer.produce(TOPIC, b"v", b"k", partition=1)
    producer.flush(10)

    with KafkaLog({"bootstrap.servers": mock_broker.bootstrap_servers}, timeout_seconds=2) as log:
        for _ in log.records({Partition(TOPIC, 1): OffsetRange(0, 1)}):
            time.sleep(2.1)


def test_unreachable_brokers_are_an_error_not_a_finding() -> None:
    with (
        KafkaLog({"bootstrap.servers": "127.0.0.1:1"}, timeout_seconds=1) as log,
        pytest.raises(LogUnreadable),
    ):
        log.spans([TOPIC])


def test_an_unreachable_database_is_an_error_not_a_finding(mock_broker: EmbeddedBroker) -> None:
    with pytest.raises(DatabaseUnreadable):
        audit(
            {"bootstrap.servers": mock_broker.bootstrap_servers},
            "postgresql://postgres@127.0.0.1:1/none",
            group="g",
            producers=PRODUCERS,
        )


def test_empty_topics_and_an_empty_database_are_clean(
    mock_broker: EmbeddedBroker, audit_database: str
) -> None:
    report = audit(
        {"bootstrap.servers": mock_broker.bootstrap_servers},
        audit_database,
        group="g",
        producers=PRODUCERS,
        drained=True,
    )

    assert report.findings == ()
    assert not any(report.counts.values())
