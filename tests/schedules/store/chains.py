"""Chains: no worker of an earlier version writes, so every entry has a link."""

from __future__ import annotations

from streams.store.pool import Connection
from tests.schedules.connection import link


async def adopt(conn: Connection, limit: int) -> int:
    async with link(conn).statement("chains.adopt"):
        return 0
