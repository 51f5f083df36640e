"""The lease of the relay: free when its holder's connection ends."""

from __future__ import annotations

from streams.store.pool import Connection
from streams.store.relay_lease import Held, RelayLostError
from tests.schedules.connection import link


async def take(conn: Connection, holder: str) -> Held:
    database = link(conn).database
    async with link(conn).statement("relay_lease.take"):
        if database.relay is not None:
            return Held("another worker", None)
        database.relay = link(conn)
        database.fence += 1
        return Held(holder, None, database.fence)


async def renew(conn: Connection, fence: int) -> None:
    async with link(conn).statement("relay_lease.renew"):
        if fence != link(conn).database.fence:
            raise RelayLostError


async def release(conn: Connection, fence: int) -> None:
    async with link(conn).statement("relay_lease.release"):
        if fence == link(conn).database.fence:
            link(conn).give_back_relay_lock()
