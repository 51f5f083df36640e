"""Publishes records as an upstream system would: every one acknowledged, or an error."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.codec import Outgoing


class PublishError(Exception):
    """Records were not acknowledged; the message counts them."""


class Publisher:
    """A producer with the settings that upstream systems should use: idempotent, all replicas."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "log_level": 2,  # failures are raised; its own lines would say them twice
                "message.max.bytes": 4_000_000,
                "partitioner": "murmur2_random",  # as Java and Faust producers place keys
            }
        )
        self.acknowledged = 0
        self.failed = 0

    def send(self, record: Outgoing) -> None:
        """Queue one record; waits when the queue is full."""
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
        """Wait until everything sent is acknowledged.

        Raises:
            PublishError: something was not, within the time.
        """
        left = self._producer.flush(timeout)
        if left or self.failed:
            raise PublishError(f"{left + self.failed} records were not acknowledged")

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self.failed += 1


def at_rate(records: Iterable[Outgoing], rate: float) -> Iterator[Outgoing]:
    """Yield records no faster than ``rate`` a second, counted from the first. Sleeps."""
    begun = time.monotonic()
    for number, record in enumerate(records):
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        yield record


def publish(bootstrap_servers: str, records: Iterable[Outgoing]) -> int:
    """Publish all records and return how many were acknowledged. Blocks.

    Raises:
        PublishError: some were not.
    """
    publisher = Publisher(bootstrap_servers)
    try:
        for record in records:
            publisher.send(record)
        publisher.flush()
    except KafkaException as error:
        raise PublishError(error.args[0].str()) from None
    return publisher.acknowledged
