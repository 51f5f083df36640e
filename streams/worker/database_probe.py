"""Asks now and then whether the database answers, work or no work."""

from __future__ import annotations

import asyncio
from typing import Final

from streams.runtime.metrics import Metrics
from streams.store import clock
from streams.store.errors import is_transient
from streams.store.pool import Pool

_SECONDS: Final = 2.0


async def observe(pool: Pool, metrics: Metrics) -> None:
    """Keep the gauge that says so, for ever: a worker with nothing to do is not ready either."""
    while True:
        try:
            async with pool.acquire() as conn:
                await clock.now(conn)
        except Exception as error:
            if not is_transient(error):
                raise
            metrics.database_away.set(1)
        else:
            metrics.database_away.set(0)
        await asyncio.sleep(_SECONDS)
