"""Reads from the database what only it knows, into gauges, every few seconds."""

from __future__ import annotations

import asyncio
from typing import Final

from streams.metrics import Metrics
from streams.store import cases, dead_letters, outbox
from streams.store.clock import Clock
from streams.store.errors import is_transient
from streams.store.pool import Pool

_SECONDS: Final = 2.0


async def observe(pool: Pool, clock: Clock, metrics: Metrics) -> None:
    """Refresh the gauges for ever; while the database is away they keep their last values."""
    while True:
        try:
            await refresh(pool, clock, metrics)
        except Exception as error:
            if not is_transient(error):
                raise
            metrics.database_away.set(1)
        else:
            metrics.database_away.set(0)
        await asyncio.sleep(_SECONDS)


async def refresh(pool: Pool, clock: Clock, metrics: Metrics) -> None:
    """Read every gauge once."""
    async with pool.acquire() as conn:
        for (count, oldest), (counted, aged) in (
            (
                await cases.overdue(conn, await clock(conn)),
                (metrics.due_unfired, metrics.due_unfired_oldest),
            ),
            (await outbox.backlog(conn), (metrics.outbox_pending, metrics.outbox_oldest)),
            (
                await dead_letters.open_counts(conn),
                (metrics.dead_letters_open, metrics.dead_letters_oldest),
            ),
        ):
            counted.set(count)
            aged.set(oldest)
