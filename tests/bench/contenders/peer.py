"""What all peers share, so that they differ in their own ways only.

``Peer.handle`` is one transaction of the pipeline's own: the same validation, domain and SQL, over
psycopg. Each peer also publishes the outbox: the project's own relay runs beside in a thread of the
peer's process, with a pool of its own, so this work and its CPU time are in everybody's figures.
The garbage collector is tuned as in our worker, which every one of them gains from.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Sequence
from typing import Any, cast

from streams import reference
from streams.intake.batch import apply_batch
from streams.intake.record import DecodedRecord, Record, decode_record
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.store import clock
from streams.store.events import Position
from streams.store.pool import open_pool
from streams.worker.relay import Relay
from tests.bench.sync_connection import connect, finish


class Peer:
    """Brings batches of records into the database, with the relay running beside."""

    def __init__(self) -> None:
        self.settings = Settings()
        self._reference = reference.load(self.settings.policy_file, self.settings.directory_file)
        self._conn = connect(self.settings.database, self.settings.kafka.group)
        self._loop = asyncio.new_event_loop()
        self._relay: Relay | None = None
        threading.Thread(target=self._publish, name="relay", daemon=True).start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)

    def handle(self, records: Sequence[Record]) -> None:
        """Judge records and apply them in one transaction; committed on return."""
        items = [decode_record(record) for record in records]
        with self._conn.connection.transaction():
            finish(self._apply(items))
        if self._relay is not None:
            self._loop.call_soon_threadsafe(self._relay.wake)

    async def _apply(self, items: Sequence[DecodedRecord]) -> None:
        conn = cast(Any, self._conn)
        await apply_batch(conn, items, self._reference, clock.now)

    def _publish(self) -> None:
        self._loop.run_until_complete(self._run_relay())

    async def _run_relay(self) -> None:
        settings = self.settings
        pool = await open_pool(settings.database, f"{settings.kafka.group}-relay")
        self._relay = Relay(pool, settings.kafka, settings.loops, Metrics())
        await self._relay.run()


def record_of(message: Any) -> Record:
    """Return the record in a message of confluent-kafka."""
    place = Position(message.topic(), message.partition(), message.offset())
    return Record(place, message.key(), message.value(), message.headers() or ())
