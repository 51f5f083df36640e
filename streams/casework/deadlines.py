"""Due cases are looked at again, through the same path as events.

Every worker sweeps; a case that another worker holds is skipped, since it is being looked at.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import structlog

from streams.casework import unit_of_work
from streams.reference import Reference
from streams.runtime.metrics import Metrics
from streams.runtime.settings import LoopSettings
from streams.store import cases
from streams.store.clock import Clock
from streams.store.errors import is_transient
from streams.store.pool import Pool

log = structlog.get_logger(__name__)


class Deadlines:
    """Sweeps for due cases until cancelled."""

    def __init__(
        self,
        pool: Pool,
        reference: Reference,
        clock: Clock,
        metrics: Metrics,
        loops: LoopSettings,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        self._pool = pool
        self._reference = reference
        self._clock = clock
        self._metrics = metrics
        self._loops = loops
        self._committed = committed

    async def run(self) -> None:
        """Sweep for ever; a full sweep is followed by another at once."""
        while True:
            try:
                looked_at = await self.sweep(self._loops.sweep_batch)
            except Exception as error:
                if is_transient(error):
                    looked_at = 0
                else:
                    log.error("sweep_failed", error=type(error).__name__)
                    looked_at = await self._one_by_one()
            if looked_at < self._loops.sweep_batch:
                await asyncio.sleep(self._loops.sweep_seconds * random.uniform(0.9, 1.1))  # noqa: S311

    async def sweep(self, limit: int, skip: int = 0) -> int:
        """Look at up to ``limit`` due cases in one transaction; return how many there were.

        ``skip`` passes over that many of the longest due, when they are known to fail.
        """
        async with self._pool.acquire() as conn, conn.transaction():
            now = await self._clock(conn)
            due = (await cases.due(conn, now, limit + skip))[skip:]
            if not due:
                return 0
            causes = dict(due)
            held = await unit_of_work.lock_and_load(conn, causes, self._clock)
            outcomes = await unit_of_work.reconsider(
                conn, held, self._reference, touched=causes, causes=causes
            )
        for _, due_at in due:
            self._metrics.deadline_lateness.observe((now - due_at).total_seconds())
        self._metrics.count_announced(outcomes)
        self._committed()
        return len(due)

    async def _one_by_one(self) -> int:
        """Look at due cases singly, so that one on which our code fails holds up no other.

        The failing case stays due: it shows as due and unfired until the bug is mended.
        """
        failed = done = 0
        while done + failed < self._loops.sweep_batch:
            try:
                found = await self.sweep(1, skip=failed)
            except Exception as error:
                if is_transient(error):
                    break
                self._metrics.deadlines_failed.inc()
                failed += 1
                continue
            if not found:
                break
            done += 1
        return done
