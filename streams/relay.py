"""Outbox to Kafka: at least once, always the same id and bytes, in order for each case.

One relay publishes at a time, held by an advisory lock that falls with its connection. Entries are
sent in waves: at most one entry per topic and case is under way, so an entry that fails can never
be overtaken by a later one about the same case, whatever the producer retries.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.metrics import Metrics
from streams.settings import Kafka, Loops
from streams.store import outbox
from streams.store.errors import is_transient
from streams.store.outbox import Pending
from streams.store.pool import Connection, Pool

log = structlog.get_logger(__name__)

_PAUSE: Final = 1.0


class Relay:
    """Publishes the outbox until cancelled. Every worker runs one; one of them works."""

    def __init__(self, pool: Pool, kafka: Kafka, loops: Loops, metrics: Metrics) -> None:
        self._pool = pool
        self._kafka = kafka
        self._loops = loops
        self._metrics = metrics
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look at the outbox now rather than at the next interval."""
        self._wake.set()

    async def run(self) -> None:
        """Publish for ever, starting over after any failure of Kafka or the database."""
        while True:
            try:
                await self._session()
            except (KafkaError, TimeoutError) as error:
                log.warning("broker_away", error=type(error).__name__)
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("database_away", error=type(error).__name__)
            self._metrics.relay_failing.set(1)
            await asyncio.sleep(_PAUSE)

    async def _session(self) -> None:
        async with self._pool.acquire() as conn:
            while not await outbox.hold_relay_lock(conn):
                self._metrics.relay_failing.set(0)  # another worker's relay has the work
                await asyncio.sleep(_PAUSE)
            try:
                await self._publish_all(conn)
            finally:
                with suppress(Exception):  # the lock falls with the connection anyway
                    await outbox.release_relay_lock(conn)

    async def _publish_all(self, conn: Connection) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka.bootstrap_servers,
            client_id=f"{self._kafka.group}-relay",
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=10_000,
        )
        await producer.start()
        try:
            while True:
                self._wake.clear()
                waiting = await outbox.pending(conn, self._loops.relay_batch)
                for wave in waves(waiting):
                    await self._publish(conn, producer, wave)
                self._metrics.relay_failing.set(0)
                if len(waiting) < self._loops.relay_batch:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._loops.relay_seconds):
                            await self._wake.wait()
        finally:
            with suppress(KafkaError, TimeoutError):
                await producer.stop()

    async def _publish(
        self, conn: Connection, producer: AIOKafkaProducer, wave: Sequence[Pending]
    ) -> None:
        """Send a wave, await every acknowledgement, then mark it; raises when any is missing."""
        started = time.monotonic()
        acknowledgements = [
            await producer.send(
                item.entry.topic,
                item.entry.body,
                key=item.entry.key.encode(),
                headers=list(item.entry.headers),
            )
            for item in wave
        ]
        await asyncio.gather(*acknowledgements)
        await outbox.mark_published(conn, [item.position for item in wave])
        elapsed = time.monotonic() - started
        for item in wave:
            self._metrics.published.labels(item.entry.topic).inc()
            self._metrics.publish_seconds.observe(elapsed)


def waves(waiting: Sequence[Pending]) -> list[list[Pending]]:
    """Split entries, kept in order, so that no wave holds two of the same topic and key."""
    split: list[list[Pending]] = []
    depth: dict[tuple[str, str], int] = {}
    for item in waiting:
        place = (item.entry.topic, item.entry.key)
        at = depth[place] = depth.get(place, -1) + 1
        if at == len(split):
            split.append([])
        split[at].append(item)
    return split
