"""Publish the outbox to Kafka: at least once, with the same id and bytes, in order per case.

Only one relay publishes at a time: the one that holds the lease (``store/relay_lease.py``). A relay
that is frozen loses it after nine seconds. When it goes on, it finds that out before it sends the
next wave, and marks nothing. So it can publish at most the wave that was in flight; subscribers
know the duplicates by their message ids.

What this worker wrote is handed over after its commit (``handover.py``); the outbox is read at the
beginning, at an interval, and whenever another worker may have written too.

Entries are sent in waves with at most one entry per topic and case in flight, so a retry of the
producer can't reorder the entries of a case.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
from streams.store import outbox, relay_lease
from streams.store.errors import is_transient, log_fields
from streams.store.outbox import Pending, Written
from streams.store.pool import Connection, Pool
from streams.store.relay_lease import LEASE_SECONDS, RelayLostError
from streams.worker.handover import Handover
from streams.worker.refusals import Refusals, is_of_the_message

log = structlog.get_logger(__name__)

_PAUSE: Final = 1.0
_TIMEOUT_MS: Final = 10_000
_RENEW_SECONDS: Final = LEASE_SECONDS / 3
_SLICE: Final = 0.2
"""Seconds per wait for acknowledgements in a thread: how long it may outlive a cancellation."""


class _Unanswered(KafkaException):
    """The brokers did not take all messages; ``acknowledged`` are the positions they took."""

    def __init__(self, error: KafkaError, acknowledged: Sequence[int]) -> None:
        super().__init__(error)
        self.acknowledged = acknowledged


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
        self._handover = Handover()
        self._refusals = Refusals(metrics.refused)
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._fence = 0
        self._active = False
        self._confirmed = 0.0

    def wake(self) -> None:
        """Read the outbox now instead of at the next interval."""
        self._handover.miss()
        self._wake.set()

    def publish(self, written: Written) -> None:
        """Publish the entries of a transaction, which must have committed, soon.

        If another worker's relay is active, that one reads them at its next interval.
        """
        if written.entries and self._active:
            self._handover.offer(written, asyncio.get_running_loop().time())
            self._wake.set()

    async def run(self) -> NoReturn:
        """Publish until cancelled; start over after a failure of Kafka or the database.

        Raises:
            Exception: an error that is neither Kafka's nor a transient one of the database.
        """
        await periodic(
            self._session,
            pause=lambda *_: _PAUSE,
            is_transient=_passes,
            on_away=self._note_failure,
        )

    def _note_failure(self, error: Exception) -> None:
        self._refusals.forget()  # another worker may publish next
        self._state.relay_held_since = 0.0
        if isinstance(error, RelayLostError):
            log.warning("relay_lost", do="nothing: another worker publishes now")
            return
        self._state.relay_failing = True
        if isinstance(error, KafkaException):
            log.warning("broker_away", error=error.args[0].name())
        else:
            log.warning("database_away", **log_fields(error))

    async def _session(self) -> None:
        async with self._pool.acquire() as conn:
            while (held := await relay_lease.take(conn, self._holder)).fence is None:
                self._state.relay_holder = str(held)
                self._state.relay_failing = False  # another worker's relay publishes
                await asyncio.sleep(_PAUSE)
            self._fence = held.fence
            self._note_confirmed()
            self._state.relay_holder = str(held)
            self._state.relay_held_since = held.since.timestamp() if held.since else 0.0
            self._handover.reset()
            self._active = True
            log.info("relay_taken", fence=self._fence)
            try:
                await self._publish_all(conn)
            finally:
                self._active = False
                self._handover.reset()
                self._state.relay_held_since = 0.0
                with suppress(Exception):  # it expires anyway
                    await relay_lease.release(conn, self._fence)

    def _note_confirmed(self) -> None:
        self._confirmed = asyncio.get_running_loop().time()

    async def _confirm(self, conn: Connection) -> None:
        """Renew the lease when a third of its time has passed.

        Raises:
            RelayLostError: another relay took over.
        """
        if asyncio.get_running_loop().time() - self._confirmed >= _RENEW_SECONDS:
            await relay_lease.renew(conn, self._fence)
            self._note_confirmed()

    async def _publish_all(self, conn: Connection) -> None:
        # The C client: a message through a Python client costs half of what an event costs.
        producer = Producer(
            {
                **client(self._kafka),
                "client.id": f"{self._kafka.group}-relay",
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,
                "delivery.report.only.error": True,
                "message.timeout.ms": _TIMEOUT_MS,
                "partitioner": "murmur2_random",  # as Java and Faust producers place keys
                "log_level": 2,  # failures are raised and logged here
            }
        )
        clock = asyncio.get_running_loop().time
        read, held_back = 0.0, 0
        while True:
            self._wake.clear()
            await self._confirm(conn)
            # Only the outbox has the entries of other workers, and those that were refused.
            due = held_back or clock() - read >= self._loops.relay_seconds
            taken = None if due else self._handover.take(self._loops.relay_batch)
            if taken is None:
                self._handover.discard()
                pending = await outbox.pending(conn, self._loops.relay_batch + held_back)
                read = clock()
                taken = [(one, read) for one in pending]
                if len(pending) >= self._loops.relay_batch + held_back:
                    self._handover.miss()  # there are more
            since = {one.position: at for one, at in taken}
            entries = [one for one, _ in taken]
            waiting = self._refusals.others(entries)
            held_back = len(entries) - len(waiting)
            for wave in waves(waiting):
                await self._confirm(conn)
                await self._publish(conn, producer, wave)
                self._measure(self._refusals.others(wave), since, clock())
            self._state.relay_failing = False
            if not waiting:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._loops.relay_seconds):
                        await self._wake.wait()

    async def _publish(self, conn: Connection, producer: Producer, wave: Sequence[Pending]) -> None:
        """Send a wave, wait for every acknowledgement, then mark its entries as published.

        A message that the brokers refuse for itself holds back its topic and key, and no other.

        Raises:
            KafkaException: a message was not acknowledged; the others are marked.
            RelayLostError: another relay took over; no entry of the wave is marked.
        """
        clock = asyncio.get_running_loop().time
        started = clock()
        wave = self._refusals.others(wave)
        crash.point("before_publish")
        try:
            refused = await self._send(conn, producer, wave)
        except _Unanswered as broken:
            # Brokers that throttle take a part of a wave at a time: each attempt must get further.
            await outbox.mark_published(conn, broken.acknowledged, self._fence)
            raise
        # The brokers refuse a whole batch: alone, only what is refused for itself is refused again.
        self._refusals.note([one for one in refused if await self._send(conn, producer, [one])])
        wave = self._refusals.others(wave)
        crash.point("after_publish")
        crash.point("before_mark")
        positions = [pending.position for pending in wave]
        await outbox.mark_published(conn, positions, self._fence)
        self._handover.published(positions)
        self._note_confirmed()
        elapsed = clock() - started
        for topic, count in Counter(pending.entry.topic for pending in wave).items():
            self._metrics.published.labels(topic).inc(count)
        self._metrics.publish_seconds.observe_all([elapsed] * len(wave))

    async def _send(
        self, conn: Connection, producer: Producer, entries: Sequence[Pending]
    ) -> list[Pending]:
        """Send entries and wait for every answer; return those refused for themselves.

        Raises:
            _Unanswered: the first other error.
            RelayLostError: another relay took over; what was not sent yet is discarded.
        """
        # A wave has one entry of each topic and key at most.
        positions = {(one.entry.topic, one.entry.key): one.position for one in entries}
        errors: dict[int, KafkaError] = {}

        def failed(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                key = (message.key() or b"").decode()
                errors[positions[message.topic() or "", key]] = error

        for pending in entries:
            try:
                producer.produce(
                    pending.entry.topic,
                    pending.entry.body,
                    pending.entry.key,
                    headers=dict(pending.entry.headers),
                    on_delivery=failed,
                )
            except KafkaException as error:
                errors[pending.position] = error.args[0]
        while await asyncio.to_thread(producer.flush, _SLICE):
            try:
                await self._confirm(conn)
            except BaseException:
                producer.purge()
                raise
        for refusal in errors.values():
            if not is_of_the_message(refusal):
                known = [one.position for one in entries if one.position not in errors]
                raise _Unanswered(refusal, known)
        return [pending for pending in entries if pending.position in errors]

    def _measure(self, wave: Sequence[Pending], since: Mapping[int, float], now: float) -> None:
        """Observe the time from cause to acknowledgement; a producer's clock may be ahead.

        ``since`` says by position at what time an entry had waited for so long as it says.
        """
        waits: dict[str, list[float]] = {}
        for position, entry, waited in wave:
            if waited is not None and not is_canary(entry.key):
                amount = max(0.0, waited + now - since[position])
                waits.setdefault(entry.topic, []).append(amount)
        for topic, amounts in waits.items():
            self._metrics.announced_seconds.labels(topic).observe_all(amounts)


def _passes(error: Exception) -> bool:
    return isinstance(error, (KafkaException, RelayLostError)) or is_transient(error)


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
