"""Projections: a row is a pair of the saved projection, or None, and its time; heads are apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import orjson

from schemas.chain import NO_LINKS
from streams.store.cases import CaseRow, Saved
from streams.store.pool import Connection
from tests.schedules.connection import link
from tests.schedules.database import GONE, Transaction

TABLE, HEADS = "case_projection", "chain"
NAMES = "name of a case"
"""Locked by who creates a case, and by who writes what concerns one that does not exist."""


async def known(
    conn: Connection, case_ids: Collection[str], creating: Collection[str] = ()
) -> set[str]:
    found = await _existing(conn, case_ids)
    missing = set(case_ids) - found - set(creating)
    if not missing:
        return found
    async with link(conn).statement("cases.known.names") as mine:
        for case_id in _missing(mine, missing.union(creating)):
            await mine.lock(NAMES, case_id)
    return found | await _existing(conn, missing)


async def _existing(conn: Connection, case_ids: Collection[str]) -> set[str]:
    if not case_ids:
        return set()
    async with link(conn).statement("cases.known") as mine:
        return set(case_ids).difference(_missing(mine, case_ids))


def _missing(mine: Transaction, case_ids: Iterable[str]) -> list[str]:
    return sorted(case_id for case_id in case_ids if mine.get(TABLE, case_id) is GONE)


async def lock(conn: Connection, case_ids: Iterable[str]) -> list[CaseRow]:
    ordered = sorted(set(case_ids))
    held = []
    async with link(conn).statement("cases.lock") as mine:
        for case_id in _missing(mine, ordered):
            await mine.lock(NAMES, case_id)
        for case_id in ordered:
            await mine.insert(TABLE, case_id, (None, None))
        for case_id in ordered:
            await mine.lock(TABLE, case_id)
            head = mine.get(HEADS, case_id)
            known = NO_LINKS if head is GONE else head
            held.append(row(case_id, mine.get(TABLE, case_id)[0])._replace(head=known))
    return held


def row(case_id: str, saved: Saved | None) -> CaseRow:
    """Return the fields of a projection that are read when it is locked."""
    if saved is None:
        return CaseRow(case_id, None, 0, 0, None)
    return CaseRow(case_id, orjson.loads(saved.route), saved.routings, saved.endings, None)


async def next_due(conn: Connection) -> datetime | None:
    async with link(conn).statement("cases.next_due") as mine:
        saved = [saved for _, (saved, _) in mine.rows(TABLE) if saved is not None]
    return min([one.next_check_at for one in saved if one.next_check_at], default=None)


async def due(conn: Connection, now: datetime, limit: int) -> list[tuple[str, datetime]]:
    async with link(conn).statement("cases.due") as mine:
        waiting = [
            (saved.next_check_at, case_id)
            for case_id, (saved, _) in mine.rows(TABLE)
            if saved is not None and saved.next_check_at and saved.next_check_at <= now
        ]
        found: list[tuple[str, datetime]] = []
        for at, case_id in sorted(waiting):
            if len(found) < limit and mine.locks(TABLE, case_id):
                found.append((case_id, at))
    return found
