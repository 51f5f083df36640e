"""What the Python worker makes of the same records: casework's own step, without its database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from schemas.codec import Outgoing, decode
from schemas.envelope import Envelope, write
from schemas.outcomes import OUTCOME_TYPES, EscalationRaised, EscalationWithdrawn
from streams.casework import unit_of_work
from streams.domain.case import Fact
from streams.domain.decide import Announcement, StandingEscalation
from streams.reference import Reference
from streams.store.cases import CaseRow, Saved
from streams.store.escalations import Ledger
from tests.bench.work import Work

_TYPE_OF = {model: (name, topic) for name, (topic, model) in OUTCOME_TYPES.items()}


@dataclass
class _Kept:
    """What the database holds of one case."""

    facts: list[Fact] = field(default_factory=list)
    saved: Saved | None = None
    standing: dict[UUID, StandingEscalation] = field(default_factory=dict)
    rounds: dict[UUID, int] = field(default_factory=dict)

    def row(self, case_id: str) -> CaseRow:
        """Return the case's row as it is locked and read."""
        if self.saved is None:
            return CaseRow(case_id, None, 0)
        route: dict[str, Any] | None = orjson.loads(self.saved.route)
        return CaseRow(case_id, route, self.saved.routings)

    def note(self, messages: Iterable[Announcement]) -> None:
        """Enter messages into the ledger."""
        for _, said in messages:
            if isinstance(said, EscalationRaised):
                name = UUID(said.escalation_id)
                self.rounds[name] = said.round
                self.standing[name] = StandingEscalation(
                    name,
                    said.round,
                    said.rule_id,
                    said.level,
                    said.order_id,
                    said.office_id,
                    said.track,
                    said.policy_digest,
                )
            elif isinstance(said, EscalationWithdrawn):
                del self.standing[UUID(said.escalation_id)]


def worked(
    records: Iterable[Outgoing], reference: Reference, now: datetime
) -> tuple[Work, list[Outgoing]]:
    """Take records in one by one; return the work, and every message as it goes to Kafka."""
    cases: dict[str, _Kept] = {}
    seen: set[UUID] = set()
    sent: list[Outgoing] = []
    for record in records:
        event = decode(record.topic, record.key, record.value, record.headers)
        if event.event_id in seen:
            continue
        seen.add(event.event_id)
        kept = cases.setdefault(event.case_id, _Kept())
        kept.facts.append(Fact(event.time, event.event_id, event.event))
        ledger = Ledger(tuple(kept.standing.values()), kept.rounds)
        kept.saved, messages = unit_of_work.project(
            kept.row(event.case_id), kept.facts, ledger, 0, reference, now
        )
        kept.note(messages)
        sent += [_outgoing(event.case_id, message, now) for message in messages]
    return _work(len(seen), cases), sent


def _outgoing(case_id: str, message: Announcement, now: datetime) -> Outgoing:
    name, topic = _TYPE_OF[type(message.outcome)]
    envelope = Envelope(
        id=message.message_id, source=unit_of_work.SOURCE, type=name, time=now, subject=case_id
    )
    body = message.outcome.model_dump_json().encode()
    return Outgoing(topic, case_id.encode(), body, tuple(write(envelope)))


def _work(events: int, cases: dict[str, _Kept]) -> Work:
    saved = [kept.saved for kept in cases.values() if kept.saved is not None]
    return Work.of(
        events,
        [
            (
                row.case_id,
                row.digest.hex(),
                row.status,
                row.office_id,
                str(row.track) if row.track else None,
                row.level,
            )
            for row in saved
        ],
        [
            (str(name), held.rule_id, held.office_id)
            for kept in cases.values()
            for name, held in kept.standing.items()
        ],
    )
