"""Clock for decisions: the database's, so that all workers use the same one; and its state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import asyncpg

from streams.store.pool import Connection

Clock = Callable[[Connection], Awaitable[datetime]]
"""Function that returns the current instant; a parameter, so that tests can set the time."""


async def now(conn: Connection) -> datetime:
    """Return the database's current time, not the start of the transaction."""
    instant: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return instant


async def expect_writable(conn: Connection) -> None:
    """Check that the database takes writes.

    Raises:
        asyncpg.ReadOnlySQLTransactionError: it is a standby, or read-only.
    """
    if await conn.fetchval("SELECT current_setting('transaction_read_only')::bool"):
        raise asyncpg.ReadOnlySQLTransactionError("the server is read-only")
