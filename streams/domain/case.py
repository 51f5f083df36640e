"""A case is a fold of its log.

The fold keeps, for every fact the log speaks of, its newest version: the one with the greatest
``(time, event_id)``. Keeping a maximum is commutative, associative and idempotent, so any
permutation of a case's events, with any duplicates, gives the same case. No event ever has to be
refolded because it came late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never
from uuid import UUID

from schemas.events import (
    AppointmentMissed,
    CircumstanceChanged,
    Event,
    InterviewCompleted,
    OqtIssued,
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One version of one fact: what was said, when its source said it, and in which event."""

    time: datetime
    event_id: UUID
    event: Event

    @property
    def key(self) -> str:
        """What the fact is about; a later fact with the same key corrects this one."""
        event = self.event
        # Not isinstance, nor match: of a model's class each costs what the rest of a fold does.
        if type(event) is OqtIssued:
            return f"order:{event.order_id}"
        if type(event) is AppointmentMissed:
            return f"miss:{event.appointment_id}"
        if type(event) is InterviewCompleted:
            return f"interview:{event.interview_id}"
        if type(event) is CircumstanceChanged:
            return f"circumstance:{event.circumstance}:{event.reference}:{event.state}"
        assert_never(event)

    def corrects(self, other: Fact) -> bool:
        """Whether this version replaces ``other``; a total order, so no two versions tie."""
        return (self.time, self.event_id) > (other.time, other.event_id)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything known of one person's follow-up: the newest version of every fact, by key."""

    case_id: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


def evolve(case: Case, fact: Fact) -> Case:
    """Return the case with one more fact taken in; the same object when nothing changes."""
    known = case.facts.get(fact.key)
    if known is not None and not fact.corrects(known):
        return case
    return Case(case.case_id, {**case.facts, fact.key: fact})


def fold(case: Case, facts: Iterable[Fact]) -> Case:
    """Return the case with all facts taken in: ``evolve`` over each, in one copy."""
    merged = dict(case.facts)
    for fact in facts:
        known = merged.get(fact.key)
        if known is None or fact.corrects(known):
            merged[fact.key] = fact
    return Case(case.case_id, merged)
