"""The outbox: entries by position, their ids, and the unpublished positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import asyncpg

from streams.store.outbox import OutboxEntry, Pending
from streams.store.pool import Connection
from tests.schedules.connection import link
from tests.schedules.database import GONE

TABLE, IDS, WAITING = "outbox", "outbox_message", "outbox_pending"


async def put(conn: Connection, entries: Iterable[OutboxEntry]) -> None:
    async with link(conn).statement("outbox.put") as mine:
        for entry in entries:
            position = link(conn).database.next_number("outbox")
            if not await mine.insert(IDS, entry.message_id, position):
                raise asyncpg.UniqueViolationError("outbox_message_id_key")
            mine.write(TABLE, position, entry)
            mine.write(WAITING, position, True)


async def hold_relay_lock(conn: Connection) -> bool:
    database = link(conn).database
    async with link(conn).statement("outbox.hold_relay_lock"):
        if database.relay is None:
            database.relay = link(conn)
        return database.relay is link(conn)


async def release_relay_lock(conn: Connection) -> None:
    async with link(conn).statement("outbox.release_relay_lock"):
        link(conn).give_back_relay_lock()


async def pending(conn: Connection, limit: int) -> list[Pending]:
    async with link(conn).statement("outbox.pending") as mine:
        positions = sorted(position for position, _ in mine.rows(WAITING))[:limit]
        return [Pending(position, mine.get(TABLE, position)) for position in positions]


async def mark_lazily(conn: Connection) -> None:
    async with link(conn).statement("outbox.mark_lazily"):
        link(conn).lazy = True


async def mark_published(conn: Connection, positions: Sequence[int]) -> None:
    async with link(conn).statement("outbox.mark_published") as mine:
        for position in positions:
            if mine.get(WAITING, position) is not GONE:
                mine.write(WAITING, position, GONE)
