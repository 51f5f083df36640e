"""The ledger: message id, raised escalation and withdrawal, by escalation and round."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from schemas.outcomes import EscalationRaised, EscalationWithdrawn
from streams.domain.decision import StandingEscalation
from streams.store.escalations import Ledger
from tests.schedules.database import Transaction

TABLE, STANDING = "escalation", "escalation_standing"


def ledgers(mine: Transaction, case_ids: Sequence[str]) -> dict[str, Ledger]:
    """Return the ledgers of cases, as a transaction sees them."""
    latest: dict[UUID, tuple[EscalationRaised, EscalationWithdrawn | None]] = {}
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
