"""The one clock that decisions follow: the database's, so that workers can't disagree."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from streams.store.pool import Connection

Clock = Callable[[Connection], Awaitable[datetime]]
"""Where the present instant comes from; handed in, so that a test can set it."""


async def now(conn: Connection) -> datetime:
    """Return the database's present instant, not the start of the transaction."""
    instant: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return instant
