"""The log: an event and its position, by event id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from schemas.codec import Decoded
from streams.domain.case import Fact
from streams.store.events import Position
from streams.store.pool import Connection
from tests.schedules.connection import link

TABLE = "case_event"


async def append(conn: Connection, events: Iterable[tuple[Decoded, Position]]) -> set[UUID]:
    added = set()
    async with link(conn).statement("events.append") as mine:
        for event, position in sorted(events, key=lambda pair: pair[0].event_id):
            if await mine.insert(TABLE, event.event_id, (event, position)):
                added.add(event.event_id)
    return added


async def log(conn: Connection, case_ids: Sequence[str]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = {}
    async with link(conn).statement("events.log") as mine:
        for event_id, (event, _) in mine.rows(TABLE):
            if event.case_id in case_ids:
                fact = Fact(event.time, event_id, event.event)
                found.setdefault(event.case_id, []).append(fact)
    return found


async def digests(conn: Connection, event_ids: Sequence[UUID]) -> dict[UUID, bytes]:
    async with link(conn).statement("events.digests") as mine:
        return {
            event_id: event.digest
            for event_id, (event, _) in mine.rows(TABLE)
            if event_id in event_ids
        }
