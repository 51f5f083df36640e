"""The ledger: message id, raised escalation and withdrawal, by escalation and round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg

from schemas.outcomes import EscalationRaised, EscalationWithdrawn
from streams.domain.decide import StandingEscalation
from streams.store.escalations import Ledger
from streams.store.pool import Connection
from tests.schedules.connection import link
from tests.schedules.database import GONE

TABLE, STANDING = "escalation", "escalation_standing"


async def ledger(conn: Connection, case_ids: Sequence[str]) -> dict[str, Ledger]:
    latest: dict[UUID, tuple[EscalationRaised, EscalationWithdrawn | None]] = {}
    async with link(conn).statement("escalations.ledger") as mine:
        entries = [(key, row) for key, row in mine.rows(TABLE) if row[1].case_id in case_ids]
        for (escalation_id, _), (_, raised, withdrawn) in sorted(entries, key=lambda e: e[0]):
            latest[escalation_id] = raised, withdrawn
    standing: dict[str, list[StandingEscalation]] = {}
    rounds: dict[str, dict[UUID, int]] = {}
    for escalation_id, (raised, withdrawn) in latest.items():
        rounds.setdefault(raised.case_id, {})[escalation_id] = raised.round
        if withdrawn is None:
            standing.setdefault(raised.case_id, []).append(StandingEscalation.of(raised))
    return {
        case_id: Ledger(tuple(standing.get(case_id, ())), used) for case_id, used in rounds.items()
    }


async def raise_(conn: Connection, raised: Iterable[tuple[UUID, EscalationRaised]]) -> None:
    async with link(conn).statement("escalations.raise_") as mine:
        for message_id, item in raised:
            key = UUID(item.escalation_id), item.round
            if not await mine.insert(TABLE, key, (message_id, item, None)):
                raise asyncpg.UniqueViolationError("escalation_pkey")
            if not await mine.insert(STANDING, (item.case_id, key[0]), key):
                raise asyncpg.UniqueViolationError("escalation_standing")


async def withdraw(conn: Connection, withdrawn: Iterable[EscalationWithdrawn]) -> None:
    async with link(conn).statement("escalations.withdraw") as mine:
        for item in withdrawn:
            key = UUID(item.escalation_id), item.round
            await mine.lock(TABLE, key)
            row = mine.get(TABLE, key)
            if row is not GONE and row[2] is None:
                mine.write(TABLE, key, (row[0], row[1], item))
                mine.write(STANDING, (item.case_id, key[0]), GONE)
