"""Read without writing, and have the server say so.

Errors::

    WroteSomething      the server gave a transaction an id, which it does only for a write
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.store.pool import Connection


class WroteSomething(Exception):
    """A transaction that only reads was given an id: it wrote, which is a bug of ours."""

    def __init__(self) -> None:
        super().__init__(
            "a transaction that only reads wrote something and was undone: report this bug"
        )


async def refuse_writes(conn: Connection) -> None:
    """Let every transaction of a connection be read-only, unless it says otherwise."""
    await conn.execute("SET default_transaction_read_only = on")


@asynccontextmanager
async def snapshot(conn: Connection) -> AsyncIterator[None]:
    """Read one snapshot of the database in a transaction that can't write.

    At its end the server is asked whether it wrote nonetheless.

    Raises:
        WroteSomething: it did; the transaction is rolled back.
    """
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        yield
        if await conn.fetchval("SELECT pg_current_xact_id_if_assigned()::text") is not None:
            raise WroteSomething
