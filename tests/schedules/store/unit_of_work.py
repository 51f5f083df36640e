"""The statements of a unit of work, each one statement on the in-memory database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import asyncpg

from schemas.codec import Decoded
from streams.domain.case import Fact
from streams.store.events import EventKey, Position
from streams.store.outbox import Pending, Written
from streams.store.pool import Connection
from streams.store.unit_of_work import Change, Loaded
from tests.schedules.connection import link
from tests.schedules.database import GONE, Transaction
from tests.schedules.store import cases, dead_letters, escalations, events, outbox


async def load(
    conn: Connection,
    case_ids: Sequence[str],
    new: Iterable[tuple[Decoded, Position]],
    links: Mapping[str, int],
) -> Loaded:
    database = link(conn).database
    async with link(conn).statement("unit_of_work.load") as mine:
        found: dict[str, list[Fact]] = {}
        for _, (event, _) in mine.rows(events.TABLE):
            if event.case_id in case_ids:
                fact = Fact(event.time, event.event_id, event.event, event.source)
                found.setdefault(event.case_id, []).append(fact)
        ledgers = escalations.ledgers(mine, case_ids)
        letters = dead_letters.open_letters(mine, case_ids)
        now = database.now()
        added: set[EventKey] = set()
        for event, position in sorted(new, key=lambda pair: pair[0].key):
            if await mine.insert(events.TABLE, event.key, (event, position)):
                added.add(event.key)
                mine.write(events.LINKS, event.key, links[event.case_id])
    return Loaded(now, 0, found, frozenset(), ledgers, letters, frozenset(added))


async def write(conn: Connection, change: Change) -> Written:
    async with link(conn).statement("unit_of_work.write") as mine:
        others = frozenset(position for position, _ in mine.rows(outbox.WAITING))
        for saved in change.projections:
            if mine.get(cases.TABLE, saved.case_id) is not GONE:
                await mine.lock(cases.TABLE, saved.case_id)
                mine.write(cases.TABLE, saved.case_id, (saved, change.now))
                mine.write(cases.HEADS, saved.case_id, change.heads[saved.case_id])
        await _withdraw(mine, change)
        await _raise(mine, change)
        pending = []
        for entry in change.entries:
            position = link(conn).database.next_number("outbox")
            if not await mine.insert(outbox.IDS, entry.message_id, position):
                raise asyncpg.UniqueViolationError("outbox_message_id_key")
            mine.write(outbox.TABLE, position, entry)
            mine.write(outbox.WAITING, position, True)
            pending.append(Pending(position, entry))
    return Written(pending, others)


async def _withdraw(mine: Transaction, change: Change) -> None:
    for item in change.withdrawn:
        key = UUID(item.escalation_id), item.round
        await mine.lock(escalations.TABLE, key)
        row = mine.get(escalations.TABLE, key)
        if row is not GONE and row[2] is None:
            mine.write(escalations.TABLE, key, (row[0], row[1], item))
            mine.write(escalations.STANDING, (item.case_id, key[0]), GONE)


async def _raise(mine: Transaction, change: Change) -> None:
    for message_id, item in change.raised:
        key = UUID(item.escalation_id), item.round
        if not await mine.insert(escalations.TABLE, key, (message_id, item, None)):
            raise asyncpg.UniqueViolationError("escalation_pkey")
        if not await mine.insert(escalations.STANDING, (item.case_id, key[0]), key):
            raise asyncpg.UniqueViolationError("escalation_standing")
