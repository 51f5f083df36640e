"""Fold a case's log into the case.

Of every fact the fold keeps one version: that of the source that ranks highest, and of its versions
the newest, with the greatest ``(time, event_id)``. So a source can't change what one above it
reported. Of an order the fold keeps every version, because lodging and residence have a history.
Keeping a maximum and keeping everything are commutative, associative and idempotent, so events in
any order, with any duplicates, give the same case. A late event never requires the log to be folded
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, TypeAlias, assert_never, final
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

Rank: TypeAlias = Callable[[str], int]
"""Rank of a source. Two sources that may report the same fact have different ranks, so that one of
them corrects the other; the table of producers is linted for that."""


def unranked(_: str) -> int:
    """Rank all sources alike: the newest version holds, whichever source reported it."""
    return 0


@final
class Fact:
    """One version of a fact: the event, with its CloudEvents id, time and source."""

    # No dataclass: of a compiled frozen one, the constructor costs ten times as much.
    time: Final[datetime]
    event_id: Final[UUID]
    event: Final[Event]
    source: Final[str]

    def __init__(self, time: datetime, event_id: UUID, event: Event, source: str = "") -> None:
        self.time = time
        self.event_id = event_id
        self.event = event
        self.source = source

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fact):
            return NotImplemented
        return (self.time, self.event_id, self.event, self.source) == (
            other.time,
            other.event_id,
            other.event,
            other.source,
        )

    def __hash__(self) -> int:
        return hash(self.event_id)

    def __repr__(self) -> str:
        return f"Fact({self.time!r}, {self.event_id!r}, {self.event!r}, {self.source!r})"

    @property
    def key(self) -> str:
        """Identity of the fact: a later fact with the same key corrects this one."""
        event = self.event
        # isinstance and match are slow on pydantic classes: each costs as much as the whole fold.
        if type(event) is OqtIssued:
            return f"order:{event.order_id}:{self.event_id.int}"
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
        """Return whether this version is newer than ``other``. The order is total: no two tie."""
        return (self.time, self.event_id, self.source) > (
            other.time,
            other.event_id,
            other.source,
        )

    def replaces(self, other: Fact, rank: Rank) -> bool:
        """Return whether this version holds instead of ``other``: by rank, then as the newer one.

        A total order too.
        """
        if self.source != other.source:
            mine, others = rank(self.source), rank(other.source)
            if mine != others:
                return mine > others
        return self.corrects(other)


@final
class Case:
    """Everything known about one person's follow-up: the version of each fact that holds."""

    case_id: Final[str]
    facts: Final[Mapping[str, Fact]]
    rank: Final[Rank]

    def __init__(
        self, case_id: str, facts: Mapping[str, Fact] | None = None, rank: Rank = unranked
    ) -> None:
        self.case_id = case_id
        self.facts = {} if facts is None else facts
        self.rank = rank

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Case):
            return NotImplemented
        return self.case_id == other.case_id and self.facts == other.facts

    __hash__ = None  # type: ignore[assignment] # its facts are a dictionary

    def __repr__(self) -> str:
        return f"Case({self.case_id!r}, {self.facts!r})"


def evolve(case: Case, fact: Fact) -> Case:
    """Return the case with one more fact, or the same object if the fact changes nothing."""
    key = fact.key
    known = case.facts.get(key)
    if known is not None and not fact.replaces(known, case.rank):
        return case
    return Case(case.case_id, {**case.facts, key: fact}, case.rank)


def fold(case: Case, facts: Iterable[Fact]) -> Case:
    """Return the case with all facts: the result of ``evolve`` for each, with a single copy."""
    merged = dict(case.facts)
    for fact in facts:
        key = fact.key
        known = merged.get(key)
        if known is None or fact.replaces(known, case.rank):
            merged[key] = fact
    return Case(case.case_id, merged, case.rank)
