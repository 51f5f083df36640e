"""Clock for decisions: the database's, so that all workers use the same one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from streams.store.pool import Connection

Clock = Callable[[Connection], Awaitable[datetime]]
"""Function that returns the current instant; a parameter, so that tests can set the time."""


async def now(conn: Connection) -> datetime:
    """Return the database's current time, not the start of the transaction."""
    instant: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return instant
