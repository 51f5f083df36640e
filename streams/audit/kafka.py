"""Kafka as the auditor reads it: assigned by hand, no group joined, nothing committed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, Self

from confluent_kafka import (
    OFFSET_INVALID,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from streams.audit.errors import LogUnreadable
from streams.audit.log import LogPosition, LogRecord, OffsetRange, Partition

_BATCH: Final = 1000
_PASSING: Final = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE}


class KafkaLog:
    """``Log`` over confluent-kafka, another client than the pipeline's. Use as a context."""

    def __init__(self, bootstrap: str, patience: float = 10.0) -> None:
        self._bootstrap = bootstrap
        self._patience = patience
        self._consumer = self._open("icam-audit")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def spans(self, topics: Iterable[str]) -> dict[Partition, OffsetRange]:
        """Return what every partition of these topics holds now."""
        found: dict[Partition, OffsetRange] = {}
        with _readable():
            for topic in topics:
                described = self._consumer.list_topics(topic, self._patience).topics[topic]
                if described.error is not None or not described.partitions:
                    raise LogUnreadable(f"topic {topic} is not there; make it with: icam topics")
                for number in sorted(described.partitions):
                    part = TopicPartition(topic, number)
                    held = self._consumer.get_watermark_offsets(part, self._patience)
                    if held is None:
                        raise LogUnreadable(f"no answer about {topic}[{number}]")
                    found[Partition(topic, number)] = OffsetRange(*held)
        return found

    def committed(self, group: str, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the group's committed offsets, where it has any; never joins the group."""
        asked = [TopicPartition(*partition) for partition in partitions]
        with _readable():
            consumer = self._open(group)
            try:
                answers = consumer.committed(asked, self._patience)
            finally:
                consumer.close()
        for answer in answers:
            if answer.error is not None:
                raise LogUnreadable(answer.error.str())
        return {
            Partition(answer.topic, answer.partition): answer.offset
            for answer in answers
            if answer.offset != OFFSET_INVALID
        }

    def records(self, spans: Mapping[Partition, OffsetRange]) -> Iterator[LogRecord]:
        """Yield every record of the spans, ascending within each partition, then end."""
        left = {partition: span for partition, span in spans.items() if span.low < span.high}
        with _readable():
            self._consumer.assign([TopicPartition(*p, span.low) for p, span in left.items()])
        heard = time.monotonic()
        while left:
            with _readable():
                messages = self._consumer.consume(_BATCH, 1.0)
            for message in messages:
                partition = Partition(message.topic(), message.partition())
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        left.pop(partition, None)
                    elif error.code() not in _PASSING:
                        raise LogUnreadable(error.str())
                    continue
                heard = time.monotonic()
                if partition not in left:
                    continue
                if message.offset() < left[partition].high:
                    yield _record(message)
                if message.offset() + 1 >= left[partition].high:
                    del left[partition]
            if time.monotonic() - heard > self._patience:
                names = ", ".join(map(str, sorted(left)))
                raise LogUnreadable(f"no records for {self._patience:g} s from {names}")
        self._consumer.unassign()

    def _open(self, group: str) -> Any:
        return Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": group,
                "client.id": "icam-audit",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # retention may overtake us
                "queued.max.messages.kbytes": 32 * 1024,
                "log_level": 2,
            }
        )


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise LogUnreadable(error.args[0].str()) from None


def _record(message: Any) -> LogRecord:
    kind, millis = message.timestamp()
    at = None if kind == TIMESTAMP_NOT_AVAILABLE else datetime.fromtimestamp(millis / 1000, UTC)
    return LogRecord(
        LogPosition(message.topic(), message.partition(), message.offset()),
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
        at,
    )
