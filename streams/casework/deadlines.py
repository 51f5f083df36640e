"""Reconsider cases that fall due, through the same unit of work as events.

Every worker sweeps. A case that another worker has locked is skipped: that worker decides it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, NoReturn

import structlog

from streams.casework import unit_of_work
from streams.casework.caseload import Caseload
from streams.casework.in_force import ReferenceSource
from streams.domain.letters import decide_by
from streams.reference import Reference
from streams.runtime.loop import periodic
from streams.runtime.metrics import Metrics
from streams.runtime.settings import LoopSettings
from streams.store import cases, chains, reference_tables
from streams.store.clock import Clock
from streams.store.errors import is_transient
from streams.store.outbox import Written
from streams.store.pool import Connection, Pool

log = structlog.get_logger(__name__)

_SOONEST: Final = 0.1
"""Seconds between two sweeps at least, unless the first was full: cases due meanwhile share one."""


class Deadlines:
    """Sweeps for due cases until cancelled."""

    def __init__(
        self,
        pool: Pool,
        source: ReferenceSource,
        clock: Clock,
        metrics: Metrics,
        settings: LoopSettings,
        on_commit: Callable[[Written], None] = lambda _: None,
        caseload: Caseload | None = None,
    ) -> None:
        """``on_commit`` gets what each sweep that found cases announced."""
        self._pool = pool
        self._source = source
        self._clock = clock
        self._metrics = metrics
        self._settings = settings
        self._on_commit = on_commit
        self._caseload = caseload
        self._marked = time.monotonic()
        self._marked_digest: str | None = None
        self._may_be_unchained = True

    async def run(self) -> NoReturn:
        """Sweep until cancelled: at an interval, and when the next case falls due.

        After a full sweep the next one starts at once.

        Raises:
            Exception: never for a failing case, which stays due, nor while the database is away.
        """
        await periodic(self._sweep_or_isolate, pause=self._pause, is_transient=is_transient)

    def _pause(self, until_next: float | None, _: float) -> float:
        interval = self._settings.sweep_seconds * random.uniform(0.9, 1.1)  # noqa: S311
        return interval if until_next is None else min(until_next, interval)

    async def mark_stale(self) -> int:
        """Make cases due that were decided with earlier reference data; return how many.

        Blocked cases too, if they are not checked by the day on which somebody must decide.

        During a rolling upgrade a worker of the version before still decides cases with its policy.
        Nothing else would bring them back. A worker whose own reference data is not the newest
        leaves them alone.
        """
        async with self._pool.acquire() as conn:
            return await self._mark_stale(conn, await self._source.current(conn))

    async def _mark_stale(self, conn: Connection, ref: Reference) -> int:
        self._marked_digest = ref.digest
        if not await reference_tables.are_newest(
            conn, ref.tables, ref.producers, published=ref.publication > 0
        ):
            return 0
        stale, now = 0, await self._clock(conn)
        while marked := await cases.mark_stale(conn, ref.digest, now):
            stale += marked
        stale += await cases.mark_blocked(conn, decide_by(now, ref.calendar), now)
        if stale:
            log.info("cases_to_reconsider", cases=stale, policy=ref.policy.version)
        return stale

    async def adopt(self) -> int:
        """Add what workers of the version before wrote to the chains; return for how many cases."""
        async with self._pool.acquire() as conn, conn.transaction():
            return await chains.adopt(conn, self._settings.sweep_batch)

    async def _sweep_or_isolate(self) -> float | None:
        """Sweep once; return the seconds until the next sweep, None to leave it to the interval."""
        if time.monotonic() - self._marked >= self._settings.stale_seconds:
            self._marked = time.monotonic()
            await self.mark_stale()
            self._may_be_unchained = True
        await self._mark_at_publication()
        if self._may_be_unchained:
            self._may_be_unchained = await self.adopt() > 0
        try:
            swept = await self.sweep(self._settings.sweep_batch)
        except Exception as error:
            if is_transient(error):
                raise
            log.error("sweep_failed", error=type(error).__name__)
            swept = await self._one_by_one()
        if swept >= self._settings.sweep_batch:
            return 0.0
        return await self._until_next_due(went_on=swept > 0)

    async def _until_next_due(self, *, went_on: bool) -> float | None:
        """Return the seconds until the next case falls due; None to leave it to the interval.

        ``went_on``: the sweep before decided a case, so one that is due already was not held up.
        """
        async with self._pool.acquire() as conn:
            now, next_due = await self._clock(conn), await cases.next_due(conn)
        if next_due is None:
            return None
        if next_due <= now and not went_on:
            return None  # another worker decides it, or our code fails on it
        return max(_SOONEST, (next_due - now).total_seconds())

    async def _mark_at_publication(self) -> None:
        """Make the cases due that were decided before something was published, at once."""
        async with self._pool.acquire() as conn:
            ref = await self._source.current(conn)
            if self._marked_digest not in (None, ref.digest):
                await self._mark_stale(conn, ref)
            self._marked_digest = ref.digest

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
            done = await unit_of_work.reconsider(
                conn,
                locked,
                self._source,
                touched=causes,
                causes=causes,
                loads=self._caseload.loads if self._caseload is not None else None,
            )
        for _, due_at in due:
            self._metrics.deadline_lateness.observe((now - due_at).total_seconds())
        self._metrics.count_announced(done.outcomes)
        if self._caseload is not None:
            self._caseload.count(done.outcomes)
        self._on_commit(done.written)
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
