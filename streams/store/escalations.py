"""Ledger of escalations: each round in which one stood, and why it was withdrawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from schemas.outcomes import EscalationRaised, EscalationWithdrawn
from streams.domain.decide import StandingEscalation
from streams.store.pool import Connection


class Ledger(NamedTuple):
    """Ledger of one case: its standing escalations, and the last round of each escalation."""

    standing: tuple[StandingEscalation, ...]
    rounds: Mapping[UUID, int]


async def ledger(conn: Connection, case_ids: Sequence[str]) -> dict[str, Ledger]:
    """Return the ledger of each case that has an entry. The caller must have locked the cases."""
    return _ledgers(
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
    return _ledgers(rows).get(case_id, Ledger((), {}))


def _ledgers(rows: Iterable[Any]) -> dict[str, Ledger]:
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


async def raise_(conn: Connection, raised: Iterable[tuple[UUID, EscalationRaised]]) -> None:
    """Insert escalations, each with the id of the message that raises it; one statement.

    The evidence is stored in that message only, in the outbox.

    Raises:
        asyncpg.UniqueViolationError: one already stands, as the case was decided without its lock.
    """
    rows = [
        {
            "escalation_id": item.escalation_id,
            "round": item.round,
            "case_id": item.case_id,
            "order_id": item.order_id,
            "rule_id": item.rule_id,
            "occasion": item.occasion,
            "level": item.level,
            "action": item.action,
            "policy_version": item.policy_version,
            "policy_digest": item.policy_digest,
            "office_id": item.office_id,
            "track": item.track,
            "message_id": message_id,
            "event_ids": "{" + ",".join(item.evidence.event_ids) + "}",
            "due_at": item.due_at,
            "raised_at": item.detected_at,
            "addressed_to": item.addressed_to,
            "reminder": item.reminder,
            "answer_by": item.answer_by,
        }
        for message_id, item in raised
    ]
    await conn.execute(
        """
        INSERT INTO escalation (escalation_id, round, case_id, order_id, rule_id, occasion, level,
                                action, policy_version, policy_digest, office_id, track,
                                message_id, event_ids, due_at, raised_at, addressed_to,
                                reminder, answer_by)
        SELECT escalation_id, round, case_id, order_id, rule_id, occasion, level, action,
               policy_version, policy_digest, office_id, track, message_id, event_ids::uuid[],
               due_at, raised_at, addressed_to, reminder, answer_by
        FROM json_to_recordset($1::json) AS new (
            escalation_id uuid, round integer, case_id text, order_id text, rule_id text,
            occasion text, level smallint, action text, policy_version text, policy_digest text,
            office_id text, track text, message_id uuid, event_ids text, due_at timestamptz,
            raised_at timestamptz, addressed_to text, reminder integer,
            answer_by timestamptz)
        """,
        orjson.dumps(rows).decode(),
    )


async def withdraw(conn: Connection, withdrawn: Iterable[EscalationWithdrawn]) -> None:
    """Mark standing escalations as withdrawn, with the reason; one statement."""
    rows = [
        {
            "escalation_id": item.escalation_id,
            "round": item.round,
            "withdrawn_at": item.withdrawn_at,
            "withdrawal": {"reason": item.reason, "because": item.because},
        }
        for item in withdrawn
    ]
    await conn.execute(
        """
        UPDATE escalation AS held
        SET withdrawn_at = new.withdrawn_at, withdrawal = new.withdrawal
        FROM json_to_recordset($1::json) AS new (
            escalation_id uuid, round integer, withdrawn_at timestamptz, withdrawal json)
        WHERE held.escalation_id = new.escalation_id AND held.round = new.round
          AND held.withdrawn_at IS NULL
        """,
        orjson.dumps(rows).decode(),
    )


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
