"""Producers as other teams run them: every codec, with and without transactions.

Transactional producers abort a part of their transactions. An aborted transaction holds records
that must never count: copies of the next records under other event ids.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from random import Random
from typing import Final
from uuid import UUID

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.codec import Outgoing

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
_CHUNK: Final = 10
_ABORTED: Final = 0.3
_PATIENCE_SECONDS: Final = 120.0


class NotPublished(Exception):
    """Records were not acknowledged in time; the message says how many, and the last error."""


class ForeignProducers:
    """Ten producers, two for each codec; of each two, one is transactional.

    Not thread-safe. A chunk is sent again until the broker acknowledges all of it, so that its
    records may be on the topic twice; their event ids are the same.
    """

    def __init__(self, bootstrap_servers: str, dice: Random) -> None:
        self._dice = dice
        self._plain = [_Plain(bootstrap_servers, codec) for codec in CODECS]
        self._transactional = [
            _Transactional(bootstrap_servers, codec, f"producer-{codec}-{dice.getrandbits(32):08x}")
            for codec in CODECS
        ]
        self.aborted = 0
        """Records published in transactions that were aborted."""

    def publish(self, records: Iterable[Outgoing]) -> None:
        """Publish all records in chunks, each by a producer chosen at random. Blocks.

        Raises:
            NotPublished: a chunk was not acknowledged within two minutes.
        """
        for chunk in _chunks(records):
            if self._dice.random() < 0.5:
                self._dice.choice(self._plain).publish(chunk)
                continue
            producer = self._dice.choice(self._transactional)
            if self._dice.random() < _ABORTED:
                decoys = [under_new_id(record, self._dice) for record in chunk]
                self.aborted += producer.abort(decoys)
            producer.publish(chunk)


def under_new_id(record: Outgoing, dice: Random) -> Outgoing:
    """Return a copy of an event under an event id of its own."""
    event_id = str(UUID(int=dice.getrandbits(128), version=4)).encode()
    headers = [(name, event_id if name == "ce_id" else value) for name, value in record.headers]
    return replace(record, headers=tuple(headers))


def _chunks(records: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    rest = iter(records)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


class _Plain:
    """An idempotent producer with one codec."""

    def __init__(self, bootstrap_servers: str, codec: str) -> None:
        self._producer = Producer(_settings(bootstrap_servers, codec))

    def publish(self, chunk: Sequence[Outgoing]) -> None:
        def send() -> None:
            _acknowledged(self._producer, chunk)

        _again_until_done(send, chunk)


class _Transactional:
    """A transactional producer with one codec; a new one fences it after a fatal error."""

    def __init__(self, bootstrap_servers: str, codec: str, name: str) -> None:
        self._settings = {
            **_settings(bootstrap_servers, codec),
            "transactional.id": name,
            "transaction.timeout.ms": 10_000,
        }
        self._producer: Producer | None = None

    def publish(self, chunk: Sequence[Outgoing]) -> None:
        """Publish a chunk in one committed transaction."""

        def send() -> None:
            producer = self._begun()
            _acknowledged(producer, chunk)
            producer.commit_transaction(10)

        _again_until_done(self._or_anew(send), chunk)

    def abort(self, chunk: Sequence[Outgoing]) -> int:
        """Publish a chunk in a transaction, then abort it; return how many records were sent."""

        def send() -> None:
            producer = self._begun()
            _acknowledged(producer, chunk)
            producer.abort_transaction(10)

        _again_until_done(self._or_anew(send), chunk)
        return len(chunk)

    def _begun(self) -> Producer:
        if self._producer is None:
            producer = Producer(self._settings)
            producer.init_transactions(10)
            self._producer = producer
        self._producer.begin_transaction()
        return self._producer

    def _or_anew(self, send: Callable[[], None]) -> Callable[[], None]:
        """Return ``send`` that drops the producer on any error: its successor aborts its work."""

        def attempt() -> None:
            try:
                send()
            except KafkaException:
                self._producer = None
                raise

        return attempt


def _settings(bootstrap_servers: str, codec: str) -> dict[str, str | int | bool]:
    return {
        "bootstrap.servers": bootstrap_servers,
        "compression.type": codec,
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 5,
        "log_level": 0,  # errors are handled here
        "partitioner": "murmur2_random",  # as in Java and Faust producers
        "delivery.timeout.ms": 8_000,
        "reconnect.backoff.max.ms": 500,
    }


def _acknowledged(producer: Producer, chunk: Sequence[Outgoing]) -> None:
    """Send a chunk and wait until all of it is acknowledged.

    Raises:
        KafkaException: a record was not.
    """
    failed: list[KafkaError] = []

    def note(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    for record in chunk:
        producer.produce(
            record.topic,
            record.value,
            record.key,
            headers=list(record.headers),
            on_delivery=note,
        )
    unanswered = producer.flush(10)
    if unanswered:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
    if failed:
        raise KafkaException(failed[0])


def _again_until_done(send: Callable[[], None], chunk: Sequence[Outgoing]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    last: KafkaException | None = None
    while time.monotonic() < deadline:
        try:
            send()
        except KafkaException as error:
            last = error
            time.sleep(0.2)
        else:
            return
    raise NotPublished(f"{len(chunk)} records were not acknowledged: {last}")
