"""Publish records as an upstream system should: wait for every acknowledgement or raise."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.codec import Outgoing
from streams.kafka.connection import Diagnosis, client
from streams.runtime.settings import KafkaSettings


class PublishError(Exception):
    """Some records were not acknowledged; the message says how many, or why."""


class Publisher:
    """Producer with the settings recommended to upstream systems: idempotent, acks from all."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Open a producer. It connects when the first record is sent.

        Raises:
            SecretUnreadable: the file of a secret can't be read.
        """
        self._diagnosis = Diagnosis(kafka)
        self._producer = Producer(
            {
                **client(kafka),
                "error_cb": self._diagnosis.note,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "log_level": 2,  # failures are raised; the client would log them a second time
                "message.max.bytes": 4_000_000,
                "partitioner": "murmur2_random",  # as in Java and Faust producers
            }
        )
        self.acknowledged = 0
        self.failed = 0
        self._last: KafkaError | None = None

    def send(self, record: Outgoing) -> None:
        """Queue one record. Blocks while the queue is full."""
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    headers=list(record.headers),
                    on_delivery=self._delivered,
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def flush(self, timeout: float = 60.0) -> None:
        """Wait up to ``timeout`` seconds until every queued record is acknowledged.

        Raises:
            PublishError: a record failed or was not acknowledged in time.
        """
        unacknowledged = self._producer.flush(timeout) + self.failed
        if unacknowledged:
            raise PublishError(self._describe(unacknowledged))

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self.failed += 1
            self._last = error

    def _describe(self, unacknowledged: int) -> str:
        cause = KafkaException(self._last or KafkaError(KafkaError._TIMED_OUT))
        return f"{unacknowledged} records were not acknowledged: {self._diagnosis.describe(cause)}"


def at_rate(records: Iterable[Outgoing], rate: float) -> Iterator[Outgoing]:
    """Yield at most ``rate`` records per second, counted from the first one. Blocks."""
    started = time.monotonic()
    for number, record in enumerate(records):
        time.sleep(max(0.0, started + number / rate - time.monotonic()))
        yield record


def publish(kafka: KafkaSettings, records: Iterable[Outgoing]) -> int:
    """Publish all records and return how many were acknowledged. Blocks.

    Raises:
        PublishError: a record was not acknowledged.
    """
    publisher = Publisher(kafka)
    try:
        for record in records:
            publisher.send(record)
        publisher.flush()
    except KafkaException as error:
        raise PublishError(error.args[0].str()) from None
    return publisher.acknowledged


class Transaction:
    """Publishes records all or none, as the only publisher under a transactional id.

    A publisher that begins later ends this one: its commit then fails. So what was read after the
    beginning is still the last when the commit succeeds.
    """

    def __init__(self, kafka: KafkaSettings, transactional_id: str, timeout: float = 30.0) -> None:
        """Begin. Blocks up to ``timeout`` seconds.

        Raises:
            PublishError: the brokers do not answer or refuse.
            SecretUnreadable: the file of a secret can't be read.
        """
        self._timeout = timeout
        self._diagnosis = Diagnosis(kafka)
        self._producer = Producer(
            {
                **client(kafka),
                "error_cb": self._diagnosis.note,
                "transactional.id": transactional_id,
                "log_level": 2,
                "partitioner": "murmur2_random",
            }
        )
        with self._described():
            self._producer.init_transactions(timeout)

    def commit(self, records: Iterable[Outgoing]) -> None:
        """Publish the records and wait until they are committed. Blocks up to twice the timeout.

        Raises:
            PublishError: none of them is published, or the answer did not come.
        """
        with self._described():
            self._producer.begin_transaction()
            for record in records:
                self._producer.produce(
                    record.topic, record.value, record.key, headers=list(record.headers)
                )
                self._producer.poll(0)
            self._producer.commit_transaction(self._timeout)

    @contextmanager
    def _described(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            raise PublishError(self._diagnosis.describe(error)) from None
