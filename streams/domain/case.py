"""Fold a case's log into the case.

The fold keeps the newest version of every fact: the one with the greatest ``(time, event_id)``.
Of an order it keeps every version, because lodging and residence have a history. Keeping a maximum
and keeping everything are commutative, associative and idempotent, so events in any order, with any
duplicates, give the same case. A late event never requires the log to be folded again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never
from uuid import UUID

from schemas.events import (
    AppointmentMissed,
    AppointmentPlanned,
    CircumstanceChanged,
    Event,
    FollowUpEnded,
    InterviewCompleted,
    OqtIssued,
    ProposalAnswered,
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One version of a fact: the event, its id and the CloudEvents time its source gave it."""

    time: datetime
    event_id: UUID
    event: Event

    @property
    def key(self) -> str:
        """Identity of the fact: a later fact with the same key corrects this one."""
        event = self.event
        # isinstance and match are slow on pydantic classes: each costs as much as the whole fold.
        if type(event) is OqtIssued:
            return f"order:{event.order_id}:{self.event_id}"
        if type(event) is AppointmentMissed:
            return f"miss:{event.appointment_id}"
        if type(event) is InterviewCompleted:
            return f"interview:{event.interview_id}"
        if type(event) is CircumstanceChanged:
            return f"circumstance:{event.circumstance}:{event.reference}:{event.state}"
        if type(event) is AppointmentPlanned:
            return f"appointment:{event.appointment_id}"
        if type(event) is ProposalAnswered:
            return f"answer:{event.escalation_id}:{event.round}"
        if type(event) is FollowUpEnded:
            return f"end:{event.order_id or '*'}"
        assert_never(event)

    def corrects(self, other: Fact) -> bool:
        """Return whether this version replaces ``other``. The order is total: no two tie."""
        return (self.time, self.event_id) > (other.time, other.event_id)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything known about one person's follow-up: the newest version of each fact, by key."""

    case_id: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


def evolve(case: Case, fact: Fact) -> Case:
    """Return the case with one more fact, or the same object if the fact changes nothing."""
    known = case.facts.get(fact.key)
    if known is not None and not fact.corrects(known):
        return case
    return Case(case.case_id, {**case.facts, fact.key: fact})


def fold(case: Case, facts: Iterable[Fact]) -> Case:
    """Return the case with all facts: the result of ``evolve`` for each, with a single copy."""
    merged = dict(case.facts)
    for fact in facts:
        known = merged.get(fact.key)
        if known is None or fact.corrects(known):
            merged[fact.key] = fact
    return Case(case.case_id, merged)
