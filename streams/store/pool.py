"""The connection pool and the session settings that every connection gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from streams.settings import Database

if TYPE_CHECKING:  # generic in the stubs only
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = PoolConnectionProxy


async def open_pool(database: Database, name: str) -> Pool:
    """Open a pool; ``name`` shows in ``pg_stat_activity``. Connections are made when first used.

    Raises:
        OSError, asyncpg.PostgresError: the server can't be reached or refuses us.
    """
    timeout_ms = str(int(database.statement_timeout_seconds * 1000))
    return await asyncpg.create_pool(
        database.url.get_secret_value(),
        min_size=1,
        max_size=database.pool_size,
        timeout=5,
        command_timeout=database.statement_timeout_seconds + 5,
        server_settings={
            "application_name": name,
            "timezone": "UTC",
            "jit": "off",
            # A generic plan made while the tables are empty scans them for ever after.
            "enable_seqscan": "off",
            "statement_timeout": timeout_ms,
            "lock_timeout": timeout_ms,
            # A worker frozen inside a transaction must not hold its locks for ever.
            "idle_in_transaction_session_timeout": timeout_ms,
        },
    )
