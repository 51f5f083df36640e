"""Read all cases in ranges, each as of one snapshot, to project them again without writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

import orjson

from schemas.outcomes import Outcome
from streams.casework import unit_of_work
from streams.casework.projection import NO_LEDGER, project
from streams.domain.case import Fact
from streams.domain.letters import OpenLetters
from streams.domain.loads import Loads
from streams.domain.policy.versions import Move
from streams.reference import Reference
from streams.runtime.settings import Settings
from streams.store import cases, clock, dead_letters, escalations, events, publications
from streams.store.cases import Saved
from streams.store.escalations import Ledger
from streams.store.pool import Connection, open_pool

Range: TypeAlias = tuple[str, str | None]
"""The first case id, and the first one of the next range; None for the last range."""
_CASES: Final = 1000
"""Cases that a process has in memory at a time."""
_SHARE: Final = 8
"""Ranges per task of a process; a task has one connection."""


@dataclass(frozen=True, slots=True)
class StoredRange:
    """Cases with a projection or an event, and all that is known of them."""

    now: datetime
    projections: Mapping[str, tuple[Saved, datetime | None, datetime | None]]
    """Each with when it was decided, and when the case was first decided."""
    log: Mapping[str, Sequence[Fact]]
    ledgers: Mapping[str, Ledger]
    letters: Mapping[str, OpenLetters]
    moves: Mapping[str, tuple[Move, ...]]
    """Versions of the policy that officials moved cases to."""
    unreadable: frozenset[str]
    """Cases with a stored event that can't be read."""

    @property
    def case_ids(self) -> list[str]:
        """Return the cases that can be projected, in order."""
        return sorted({*self.projections, *self.log} - self.unreadable)

    def project(
        self, case_id: str, reference: Reference, at: datetime, loads: Loads | None = None
    ) -> tuple[Saved, Sequence[Outcome]]:
        """Return the projection of a stored case as of an instant, and what would be announced."""
        stored, _, known_since = self.projections[case_id]
        row = cases.CaseRow(
            case_id, orjson.loads(stored.route), stored.routings, stored.endings, known_since
        )
        projection, messages = project(
            row,
            self.log.get(case_id, ()),
            self.ledgers.get(case_id, NO_LEDGER),
            self.letters.get(case_id),
            reference,
            at,
            self.moves.get(case_id, ()),
            loads,
        )
        return projection, [message.outcome for message in messages]


async def shares(settings: Settings, name: str) -> list[list[Range]]:
    """Return the ranges of all cases, as shares for the tasks of several processes."""
    pool = await open_pool(settings.database, name)
    try:
        async with pool.acquire() as conn:
            return await shares_on(conn)
    finally:
        await pool.close()


async def shares_on(conn: Connection) -> list[list[Range]]:
    """Return the same on a connection."""
    found = await cases.ranges(conn, _CASES)
    return [found[at : at + _SHARE] for at in range(0, len(found), _SHARE)]


async def read(conn: Connection, ref: Reference, first: str, after: str | None) -> StoredRange:
    """Read a range in one read-only snapshot."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        now = await clock.now(conn)
        projections = await cases.between(conn, first, after)
        log, unreadable = await events.log_between(conn, first, after)
        wanted = sorted({*projections, *log} - unreadable)
        ledgers = await escalations.ledger(conn, wanted)
        letters = unit_of_work.letters_of(await dead_letters.open_on(conn, wanted), ref)
        moves = await publications.moves_of(conn, wanted) if ref.moved else {}
    return StoredRange(now, projections, log, ledgers, letters, moves, frozenset(unreadable))
