"""The outbox: entries by position, their ids, and the unpublished positions."""

from __future__ import annotations

from collections.abc import Sequence

from streams.store.outbox import Pending
from streams.store.pool import Connection
from streams.store.relay_lease import RelayLostError
from tests.schedules.connection import link
from tests.schedules.database import GONE

TABLE, IDS, WAITING = "outbox", "outbox_message", "outbox_pending"


async def pending(conn: Connection, limit: int) -> list[Pending]:
    async with link(conn).statement("outbox.pending") as mine:
        positions = sorted(position for position, _ in mine.rows(WAITING))[:limit]
        return [Pending(position, mine.get(TABLE, position)) for position in positions]


async def mark_published(conn: Connection, positions: Sequence[int], fence: int) -> None:
    link(conn).lazy = True
    async with link(conn).statement("outbox.mark_published") as mine:
        if fence != link(conn).database.fence:
            raise RelayLostError
        for position in positions:
            if mine.get(WAITING, position) is not GONE:
                mine.write(WAITING, position, GONE)
