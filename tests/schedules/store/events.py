"""The log: an event and its position, by event id; and the link that it is in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from schemas.codec import Decoded
from streams.domain.case import Fact
from streams.store.events import EventKey, Position
from streams.store.pool import Connection
from tests.schedules.connection import link

TABLE, LINKS = "case_event", "event_link"


async def append(
    conn: Connection, events: Iterable[tuple[Decoded, Position]], links: Mapping[str, int]
) -> set[EventKey]:
    added = set()
    async with link(conn).statement("events.append") as mine:
        for event, position in sorted(events, key=lambda pair: pair[0].key):
            if await mine.insert(TABLE, event.key, (event, position)):
                added.add(event.key)
                mine.write(LINKS, event.key, links[event.case_id])
    return added


async def log(conn: Connection, case_ids: Sequence[str]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = {}
    async with link(conn).statement("events.log") as mine:
        for _, (event, _) in mine.rows(TABLE):
            if event.case_id in case_ids:
                fact = Fact(event.time, event.event_id, event.event, event.source)
                found.setdefault(event.case_id, []).append(fact)
    return found


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
