"""The time of decisions: the clock of the in-memory database."""

from __future__ import annotations

from datetime import datetime

from streams.store.pool import Connection
from tests.schedules.connection import link


async def now(conn: Connection) -> datetime:
    async with link(conn).statement("clock.now"):
        return link(conn).database.now()
