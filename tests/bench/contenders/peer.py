"""The parts that all peers share: ingesting a batch and publishing the outbox.

``Peer.handle`` runs one transaction with the pipeline's validation, domain and SQL, over psycopg.
Each peer also publishes the outbox: the project's relay runs in a thread of its process, with its
own pool, so the figures of every contender include that work and its CPU time. The garbage
collector is tuned as in the worker, which makes every peer faster.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import cast

from streams import reference
from streams.intake.batch import apply_batch
from streams.intake.record import DecodedRecord, Record, decode_record
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.runtime.state import WorkerState
from streams.store import clock
from streams.store.pool import Connection, open_pool
from streams.worker.relay import Relay
from tests.bench.contenders.consumers import tune_garbage_collector
from tests.bench.sync_connection import connect, finish


class Peer:
    """Writes batches of records to the database, and runs the relay in a thread."""

    def __init__(self) -> None:
        self.settings = Settings()
        self._reference = reference.load(self.settings.policy_file, self.settings.directory_file)
        self._conn = connect(self.settings.database, self.settings.kafka.group)
        self._loop = asyncio.new_event_loop()
        self._relay: Relay | None = None
        threading.Thread(target=self._publish, name="relay", daemon=True).start()
        tune_garbage_collector()

    def handle(self, records: Sequence[Record]) -> None:
        """Decode records and apply them in one transaction, committed on return."""
        items = [decode_record(record) for record in records]
        with self._conn.connection.transaction():
            finish(self._apply(items))
        if self._relay is not None:
            self._loop.call_soon_threadsafe(self._relay.wake)

    async def _apply(self, items: Sequence[DecodedRecord]) -> None:
        await apply_batch(cast(Connection, self._conn), items, self._reference, clock.now)

    def _publish(self) -> None:
        self._loop.run_until_complete(self._run_relay())

    async def _run_relay(self) -> None:
        settings = self.settings
        pool = await open_pool(settings.database, f"{settings.kafka.group}-relay")
        self._relay = Relay(pool, settings.kafka, settings.loops, Metrics(), WorkerState())
        await self._relay.run()
