"""The log: an event and its position, by event id; and the link that it is in."""

from __future__ import annotations

from collections.abc import Iterable

from streams.domain.case import Fact
from streams.store.events import EventKey
from streams.store.pool import Connection
from tests.schedules.connection import link

TABLE, LINKS = "case_event", "event_link"


async def digests(conn: Connection, keys: Iterable[EventKey]) -> dict[EventKey, bytes]:
    async with link(conn).statement("events.digests") as mine:
        wanted = set(keys)
        return {key: event.digest for key, (event, _) in mine.rows(TABLE) if key in wanted}


async def contents(conn: Connection, keys: Iterable[EventKey]) -> dict[EventKey, tuple[str, Fact]]:
    async with link(conn).statement("events.contents") as mine:
        wanted = set(keys)
        return {
            key: (event.case_id, Fact(event.time, event.event_id, event.event, event.source))
            for key, (event, _) in mine.rows(TABLE)
            if key in wanted
        }
