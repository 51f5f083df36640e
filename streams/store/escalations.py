"""Ledger of escalations: each round in which one stood, and why it was withdrawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from streams.domain.decision import StandingEscalation
from streams.store.pool import Connection


class Ledger(NamedTuple):
    """Ledger of one case: its standing escalations, and the last round of each escalation."""

    standing: tuple[StandingEscalation, ...]
    rounds: Mapping[UUID, int]


async def ledger(conn: Connection, case_ids: Sequence[str]) -> dict[str, Ledger]:
    """Return the ledger of each case that has an entry. The caller must have locked the cases."""
    return ledgers(
        await conn.fetch(
            """
            SELECT DISTINCT ON (escalation_id)
                   case_id, withdrawn_at IS NULL AS stands,
                   escalation_id, round, rule_id, level, order_id, office_id, track,
                   policy_digest, raised_at, reminder
            FROM escalation WHERE case_id = any($1::text[])
            ORDER BY escalation_id, round DESC
            """,
            case_ids,
        )
    )


async def ledger_at(conn: Connection, case_id: str, at: datetime) -> Ledger:
    """Return the ledger of a case as it was at ``at``."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (escalation_id)
               case_id, withdrawn_at IS NULL OR withdrawn_at > $2 AS stands,
               escalation_id, round, rule_id, level, order_id, office_id, track,
               policy_digest, raised_at, reminder
        FROM escalation WHERE case_id = $1 AND raised_at <= $2
        ORDER BY escalation_id, round DESC
        """,
        case_id,
        at,
    )
    return ledgers(rows).get(case_id, Ledger((), {}))


def ledgers(rows: Iterable[Any]) -> dict[str, Ledger]:
    """Return the ledger of each case from the last round of each of its escalations.

    A row is the case, whether it stands, and the fields of ``StandingEscalation``.
    """
    standing: dict[str, list[StandingEscalation]] = {}
    rounds: dict[str, dict[UUID, int]] = {}
    for case_id, stands, *rest in rows:
        latest = StandingEscalation(*rest)
        rounds.setdefault(case_id, {})[latest.escalation_id] = latest.round
        if stands:
            standing.setdefault(case_id, []).append(latest)
    return {
        case_id: Ledger(tuple(standing.get(case_id, ())), used) for case_id, used in rounds.items()
    }


async def find(
    conn: Connection,
    *,
    case_id: str | None = None,
    office_id: str | None = None,
    rule_id: str | None = None,
    level: int | None = None,
    standing_only: bool = True,
    since: datetime | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Return at most ``limit`` ledger entries for display, newest first."""
    rows = await conn.fetch(
        """
        SELECT escalation_id, round, case_id, order_id, rule_id, occasion, level, action,
               policy_version, policy_digest, office_id, track,
               (body->'evidence')::text AS evidence, due_at, raised_at, addressed_to,
               reminder, answer_by, withdrawn_at,
               withdrawal::text AS withdrawal
        FROM escalation JOIN outbox USING (message_id)
        WHERE ($1::text IS NULL OR case_id = $1)
          AND ($2::text IS NULL OR office_id = $2)
          AND ($3::text IS NULL OR rule_id = $3)
          AND ($4::integer IS NULL OR level = $4)
          AND (NOT $5 OR withdrawn_at IS NULL)
          AND ($6::timestamptz IS NULL OR raised_at >= $6)
        ORDER BY raised_at DESC, escalation_id, round DESC LIMIT $7
        """,
        case_id,
        office_id,
        rule_id,
        level,
        standing_only,
        since,
        limit,
    )
    return [
        {
            **row,
            "evidence": orjson.loads(row["evidence"]),
            "withdrawal": orjson.loads(row["withdrawal"] or "null"),
        }
        for row in rows
    ]
