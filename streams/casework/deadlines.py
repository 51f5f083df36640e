"""Reconsider cases that fall due, through the same unit of work as events.

Every worker sweeps. A case that another worker has locked is skipped: that worker decides it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NoReturn

import structlog

from streams.casework import unit_of_work
from streams.reference import Reference
from streams.runtime.loop import periodic
from streams.runtime.metrics import Metrics
from streams.runtime.settings import LoopSettings
from streams.store import cases, reference_tables
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
        settings: LoopSettings,
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_commit`` is called after every sweep that found cases."""
        self._pool = pool
        self._reference = reference
        self._clock = clock
        self._metrics = metrics
        self._settings = settings
        self._on_commit = on_commit
        self._marked = time.monotonic()

    async def run(self) -> NoReturn:
        """Sweep until cancelled; after a full sweep the next one starts at once.

        Raises:
            Exception: never for a failing case, which stays due, nor while the database is away.
        """
        await periodic(self._sweep_or_isolate, pause=self._pause, is_transient=is_transient)

    def _pause(self, swept: int | None, _: float) -> float:
        if swept is not None and swept >= self._settings.sweep_batch:
            return 0.0
        return self._settings.sweep_seconds * random.uniform(0.9, 1.1)  # noqa: S311

    async def mark_stale(self) -> int:
        """Make cases due that were decided with earlier reference data; return how many.

        During a rolling upgrade a worker of the version before still decides cases with its policy.
        Nothing else would bring them back. A worker whose own reference data is not the newest
        leaves them alone.
        """
        ref, stale = self._reference, 0
        async with self._pool.acquire() as conn:
            if not await reference_tables.are_newest(conn, ref.policy, ref.directory, ref.calendar):
                return 0
            now = await self._clock(conn)
            while marked := await cases.mark_stale(conn, ref.digest, now):
                stale += marked
        if stale:
            log.info("cases_to_reconsider", cases=stale, policy=ref.policy.version)
        return stale

    async def _sweep_or_isolate(self) -> int:
        if time.monotonic() - self._marked >= self._settings.stale_seconds:
            self._marked = time.monotonic()
            await self.mark_stale()
        try:
            return await self.sweep(self._settings.sweep_batch)
        except Exception as error:
            if is_transient(error):
                raise
            log.error("sweep_failed", error=type(error).__name__)
            return await self._one_by_one()

    async def sweep(self, limit: int, skip: int = 0) -> int:
        """Reconsider up to ``limit`` due cases in one transaction; return how many there were.

        ``skip`` leaves out that many of the cases that have been due longest: they are known to
        fail.
        """
        async with self._pool.acquire() as conn, conn.transaction():
            now = await self._clock(conn)
            due = (await cases.due(conn, now, limit + skip))[skip:]
            if not due:
                return 0
            causes = dict(due)
            locked = await unit_of_work.lock_and_load(conn, causes, self._clock)
            outcomes = await unit_of_work.reconsider(
                conn, locked, self._reference, touched=causes, causes=causes
            )
        for _, due_at in due:
            self._metrics.deadline_lateness.observe((now - due_at).total_seconds())
        self._metrics.count_announced(outcomes)
        self._on_commit()
        return len(due)

    async def _one_by_one(self) -> int:
        """Reconsider due cases singly, so that a case on which our code fails delays no other.

        The failing case stays due, and is exported as due and unfired until the bug is fixed.
        """
        failed = done = 0
        while done + failed < self._settings.sweep_batch:
            try:
                swept = await self.sweep(1, skip=failed)
            except Exception as error:
                if is_transient(error):
                    break
                self._metrics.deadlines_failed.inc()
                failed += 1
                continue
            if not swept:
                break
            done += 1
        return done
