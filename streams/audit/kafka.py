"""Kafka client of the auditor: assigns partitions itself, joins no group, commits nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import methodcaller
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
_HEADERS_OF: Final = methodcaller("headers")
_REFUSALS: Final = {KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._RESOLVE}
_MOVING: Final = {
    *(KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE),
    *(KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION),
}
"""What brokers say while a partition gets a leader."""
_PAUSE: Final = 0.2
_PASSING: Final = {
    *(KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE),
    # The client asks for the coordinator of its group, which we may not join and do not.
    KafkaError.GROUP_AUTHORIZATION_FAILED,
}


class KafkaLog:
    """``Log`` over confluent-kafka, a different client than the pipeline's. A context manager.

    ``timeout_seconds`` bounds each request, and the wait for the next record.
    """

    def __init__(self, client: Mapping[str, Any], timeout_seconds: float = 10.0) -> None:
        """``client`` is how the client connects, by librdkafka's names."""
        self._client = client
        self._refusal = ""
        self._timeout_seconds = timeout_seconds
        self._consumer = self._open("icam-audit")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def spans(self, topics: Iterable[str]) -> dict[Partition, OffsetRange]:
        """Return the current range of offsets of every partition of these topics."""
        found: dict[Partition, OffsetRange] = {}
        for topic in topics:
            with self._readable():
                metadata = self._consumer.list_topics(topic, self._timeout_seconds).topics[topic]
            if metadata.error is not None or not metadata.partitions:
                raise LogUnreadable(f"topic {topic} does not exist; create it: icam topics")
            for number in sorted(metadata.partitions):
                partition = Partition(topic, number)
                found[partition] = self._span(partition)
        return found

    def _span(self, partition: Partition) -> OffsetRange:
        """Return the range of a partition; wait while it has no leader, as a new one has not."""
        deadline = time.monotonic() + self._timeout_seconds
        while True:
            try:
                offsets = self._consumer.get_watermark_offsets(
                    TopicPartition(*partition), self._timeout_seconds
                )
            except KafkaException as error:
                if error.args[0].code() in _MOVING and time.monotonic() < deadline:
                    time.sleep(_PAUSE)
                    continue
                with self._readable():
                    raise
            if offsets is None:
                raise LogUnreadable(f"timeout reading the offsets of {partition}")
            return OffsetRange(*offsets)

    def committed(self, group: str, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the group's committed offsets; partitions without one are left out.

        Never joins the group.
        """
        requested = [TopicPartition(*partition) for partition in partitions]
        with self._readable():
            consumer = self._open(group)
            try:
                answers = consumer.committed(requested, self._timeout_seconds)
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
        """Yield every record in these ranges, in offset order within each partition."""
        unread = {partition: span for partition, span in spans.items() if span.low < span.high}
        with self._readable():
            self._consumer.assign([TopicPartition(*p, span.low) for p, span in unread.items()])
        silent_since = time.monotonic()
        while unread:
            with self._readable():
                messages = self._consumer.consume(_BATCH, 1.0)
            arrived = False
            for message in messages:
                partition = Partition(message.topic(), message.partition())
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        unread.pop(partition, None)
                    elif error.code() not in _PASSING:
                        raise LogUnreadable(error.str())
                    continue
                arrived = True
                if partition not in unread:
                    continue
                if message.offset() < unread[partition].high:
                    yield _record(message)
                if message.offset() + 1 >= unread[partition].high:
                    del unread[partition]
            if arrived:
                silent_since = time.monotonic()  # the caller may have worked on them meanwhile
            elif time.monotonic() - silent_since > self._timeout_seconds:
                names = ", ".join(map(str, sorted(unread)))
                seconds = f"{self._timeout_seconds:g} s"
                raise LogUnreadable(f"no records for {seconds} from {names}")
        self._consumer.unassign()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Raise Kafka's errors as ``LogUnreadable``."""
        try:
            yield
        except KafkaException as error:
            self._consumer.poll(0)  # delivers what the client reported meanwhile
            raise LogUnreadable(error.args[0].str() + self._refusal) from None

    def _note(self, error: KafkaError) -> None:
        """Keep why the brokers refused us: the request that fails only says that time ran out."""
        if error.code() in _REFUSALS:
            self._refusal = f" ({error.str()})"

    def _open(self, group: str) -> Any:
        return Consumer(
            {
                **self._client,
                "error_cb": self._note,
                "group.id": group,
                "client.id": "icam-audit",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # retention may delete records meanwhile
                # What is read ahead; the client keeps some hundred bytes more for each record.
                "queued.min.messages": 10_000,
                "queued.max.messages.kbytes": 8 * 1024,
                # The latter bounds what a batch of lz4 or zstd may decompress to as well.
                "fetch.max.bytes": 8 * 1024 * 1024,
                "receive.message.max.bytes": 16 * 1024 * 1024,
                "log_level": 2,
            }
        )


def _record(message: Any) -> LogRecord:
    return LogRecord(
        LogPosition(message.topic(), message.partition(), message.offset()),
        message.key(),
        message.value(),
        _headers(message),
        _instant(*message.timestamp()),
    )


def _instant(kind: int, millis: int) -> datetime | None:
    """Return a record's time; None when it has none, or one of a year that does not exist."""
    if kind == TIMESTAMP_NOT_AVAILABLE:
        return None
    try:
        return datetime.fromtimestamp(millis / 1000, UTC)
    except (OverflowError, ValueError):  # a producer that counts in microseconds or nanoseconds
        return None


def _headers(message: Any) -> tuple[tuple[str, bytes | None], ...]:
    """Return the headers; only one without a name in UTF-8 when the client can't decode a name."""
    try:
        # Called from C: since Python 3.11 a call from Python does not check that the client, which
        # returns a result, has set an exception too.
        return tuple(_HEADERS_OF(message) or ())
    except (SystemError, UnicodeDecodeError):  # depends on the client's release
        return (("\udcff", None),)
