"""Publish the outbox to Kafka: at least once, with the same id and bytes, in order per case.

Only one relay publishes at a time; it holds an advisory lock that is released when its connection
closes. Entries are sent in waves with at most one entry per topic and case in flight, so a retry of
the producer can't reorder the entries of a case.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final, NoReturn

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.canary import is_canary
from streams.kafka.connection import client
from streams.runtime import crash
from streams.runtime.loop import periodic
from streams.runtime.metrics import Metrics
from streams.runtime.settings import KafkaSettings, LoopSettings
from streams.runtime.state import WorkerState
from streams.store import outbox
from streams.store.errors import is_transient, log_fields
from streams.store.outbox import Pending
from streams.store.pool import Connection, Pool
from streams.worker.refusals import Refusals, is_of_the_message

log = structlog.get_logger(__name__)

_PAUSE: Final = 1.0
_TIMEOUT_MS: Final = 10_000
_SLICE: Final = 0.2
"""Seconds per wait for acknowledgements in a thread: how long it may outlive a cancellation."""


class Relay:
    """Publishes the outbox until cancelled. Every worker runs a relay; one of them is active."""

    def __init__(
        self,
        pool: Pool,
        kafka: KafkaSettings,
        loops: LoopSettings,
        metrics: Metrics,
        state: WorkerState,
    ) -> None:
        self._pool = pool
        self._kafka = kafka
        self._loops = loops
        self._metrics = metrics
        self._state = state
        self._wake = asyncio.Event()
        self._refusals = Refusals(metrics.refused)

    def wake(self) -> None:
        """Read the outbox now instead of at the next interval."""
        self._wake.set()

    async def run(self) -> NoReturn:
        """Publish until cancelled; start over after a failure of Kafka or the database.

        Raises:
            Exception: an error that is neither Kafka's nor a transient one of the database.
        """
        await periodic(
            self._session,
            pause=lambda *_: _PAUSE,
            is_transient=lambda error: isinstance(error, KafkaException) or is_transient(error),
            on_away=self._note_failure,
        )

    def _note_failure(self, error: Exception) -> None:
        self._refusals.forget()  # another worker may publish next
        self._state.relay_failing = True
        if isinstance(error, KafkaException):
            log.warning("broker_away", error=error.args[0].name())
        else:
            log.warning("database_away", **log_fields(error))

    async def _session(self) -> None:
        async with self._pool.acquire() as conn:
            while not await outbox.hold_relay_lock(conn):
                self._state.relay_failing = False  # another worker's relay publishes
                await asyncio.sleep(_PAUSE)
            try:
                await self._publish_all(conn)
            finally:
                with suppress(Exception):  # the lock is released with the connection anyway
                    await outbox.release_relay_lock(conn)

    async def _publish_all(self, conn: Connection) -> None:
        await outbox.mark_lazily(conn)
        # The C client: a message through a Python client costs half of what an event costs.
        producer = Producer(
            {
                **client(self._kafka),
                "client.id": f"{self._kafka.group}-relay",
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,
                "message.timeout.ms": _TIMEOUT_MS,
                "partitioner": "murmur2_random",  # as Java and Faust producers place keys
                "log_level": 2,  # failures are raised and logged here
            }
        )
        held_back = 0
        while True:
            self._wake.clear()
            pending = await outbox.pending(conn, self._loops.relay_batch + held_back)
            read = time.monotonic()
            waiting = self._refusals.others(pending)
            held_back = len(pending) - len(waiting)
            for wave in waves(waiting):
                await self._publish(conn, producer, wave)
                self._measure(self._refusals.others(wave), time.monotonic() - read)
            self._state.relay_failing = False
            if len(waiting) < self._loops.relay_batch:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._loops.relay_seconds):
                        await self._wake.wait()

    async def _publish(self, conn: Connection, producer: Producer, wave: Sequence[Pending]) -> None:
        """Send a wave, wait for every acknowledgement, then mark its entries as published.

        A message that the brokers refuse for itself holds back its topic and key, and no other.

        Raises:
            KafkaException: a message was not acknowledged; no entry of the wave is marked.
        """
        started = time.monotonic()
        wave = self._refusals.others(wave)
        crash.point("before_publish")
        refused = await self._send(producer, wave)
        # The brokers refuse a whole batch: alone, only what is refused for itself is refused again.
        self._refusals.note([one for one in refused if await self._send(producer, [one])])
        wave = self._refusals.others(wave)
        crash.point("after_publish")
        crash.point("before_mark")
        await outbox.mark_published(conn, [pending.position for pending in wave])
        elapsed = time.monotonic() - started
        for topic, count in Counter(pending.entry.topic for pending in wave).items():
            self._metrics.published.labels(topic).inc(count)
        for _ in wave:
            self._metrics.publish_seconds.observe(elapsed)

    async def _send(self, producer: Producer, entries: Sequence[Pending]) -> list[Pending]:
        """Send entries and wait for every answer; return those refused for themselves.

        Raises:
            KafkaException: the first other error.
        """
        errors: dict[int, KafkaError] = {}

        def answered(position: int, error: KafkaError | None, _: Message | None = None) -> None:
            if error is not None:
                errors[position] = error

        for pending in entries:
            try:
                producer.produce(
                    pending.entry.topic,
                    pending.entry.body,
                    pending.entry.key,
                    headers=list(pending.entry.headers),
                    on_delivery=partial(answered, pending.position),
                )
            except KafkaException as error:
                answered(pending.position, error.args[0])
        while await asyncio.to_thread(producer.flush, _SLICE):
            pass
        for refusal in errors.values():
            if not is_of_the_message(refusal):
                raise KafkaException(refusal)
        return [pending for pending in entries if pending.position in errors]

    def _measure(self, wave: Sequence[Pending], since_read: float) -> None:
        """Observe the time from cause to acknowledgement; a producer's clock may be ahead."""
        for pending in wave:
            if pending.waited is not None and not is_canary(pending.entry.key):
                waited = max(0.0, pending.waited + since_read)
                self._metrics.announced_seconds.labels(pending.entry.topic).observe(waited)


def waves(waiting: Sequence[Pending]) -> list[list[Pending]]:
    """Split entries into waves, in order; no wave has two entries of the same topic and key."""
    split: list[list[Pending]] = []
    depth: dict[tuple[str, str], int] = {}
    for pending in waiting:
        stream = (pending.entry.topic, pending.entry.key)
        wave = depth[stream] = depth.get(stream, -1) + 1
        if wave == len(split):
            split.append([])
        split[wave].append(pending)
    return split
