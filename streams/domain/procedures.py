"""Derive the periods of reported circumstances: when each began, ended, and what was decided.

A circumstance has a begin and an end under one reference.

- An end ends only a begin that its source may correct: one of its own, or of a source that ranks
  below it.
- An end before its own begin is a contradiction: the circumstance blocks until it is corrected.
- A procedure that ends without a reported decision, or with the decision ``unknown``, goes on
  blocking: that is not a refusal.
- A person can answer that a circumstance no longer holds. It ends with that answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, final

from schemas.codes import Guard
from schemas.events import CircumstanceChanged, CircumstanceOutcome, CircumstanceState
from schemas.instants import rfc3339
from schemas.outcomes import GuardState
from streams.domain.case import Fact, Rank, unranked


@final
class Procedure:
    """One circumstance under one reference. ``begins`` is None if only its end was reported."""

    guard: Final[Guard]
    reference: Final[str]
    begins: Final[datetime | None]
    ends: Final[datetime | None]
    outcome: Final[CircumstanceOutcome | None]
    facts: Final[tuple[Fact, ...]]
    """Its begin, then its end, whichever was reported first."""

    def __init__(
        self,
        guard: Guard,
        reference: str,
        begins: datetime | None,
        ends: datetime | None,
        outcome: CircumstanceOutcome | None,
        facts: tuple[Fact, ...],
    ) -> None:
        self.guard = guard
        self.reference = reference
        self.begins = begins
        self.ends = ends
        self.outcome = outcome
        self.facts = facts

    @property
    def contradictory(self) -> bool:
        """Return whether it ends before it begins."""
        return self.begins is not None and self.ends is not None and self.ends < self.begins

    @property
    def decision_reported(self) -> bool:
        """Return whether the outcome of the procedure is known."""
        return self.outcome is not None and self.outcome is not CircumstanceOutcome.UNKNOWN


def procedures(
    changes: Iterable[tuple[Fact, CircumstanceChanged]], rank: Rank = unranked
) -> dict[Guard, Sequence[Procedure]]:
    """Return the circumstances of each guard, by reference in ascending order."""
    grouped: dict[tuple[Guard, str], dict[CircumstanceState, tuple[Fact, CircumstanceChanged]]] = {}
    for fact, event in changes:
        grouped.setdefault((event.circumstance, event.reference), {})[event.state] = (fact, event)
    found: dict[Guard, list[Procedure]] = {}
    for guard, reference in sorted(grouped):
        states = grouped[guard, reference]
        begins = states.get(CircumstanceState.BEGINS)
        ends = states.get(CircumstanceState.ENDS)
        if begins and ends and _may_not_correct(ends[0], begins[0], rank):
            ends = None
        found.setdefault(guard, []).append(
            Procedure(
                guard,
                reference,
                begins[1].effective_at if begins else None,
                ends[1].effective_at if ends else None,
                ends[1].outcome if ends else None,
                tuple([pair[0] for pair in (begins, ends) if pair is not None]),
            )
        )
    return dict(found)


def _may_not_correct(fact: Fact, other: Fact, rank: Rank) -> bool:
    return fact.source != other.source and rank(fact.source) < rank(other.source)


@final
class BlockingSpan:
    """Period in which a procedure blocks; ``since`` None means always, ``until`` None open."""

    procedure: Final[Procedure]
    since: Final[datetime | None]
    until: Final[datetime | None]
    state: Final[GuardState]
    undecided: Final[bool]
    """Whether it goes on after an end because no decision was reported."""

    def __init__(
        self,
        procedure: Procedure,
        since: datetime | None,
        until: datetime | None,
        state: GuardState,
        undecided: bool = False,
    ) -> None:
        self.procedure = procedure
        self.since = since
        self.until = until
        self.state = state
        self.undecided = undecided

    @property
    def because(self) -> str:
        """Return why it blocks."""
        name, ends = self.procedure.reference, self.procedure.ends
        if self.state is GuardState.UNKNOWN:
            return f"{name} ends before it begins"
        if self.undecided and ends is not None:
            return f"{name} ended {rfc3339(ends)}, decision not reported"
        return f"{name} since {rfc3339(self.since)}" if self.since else f"{name} begin not reported"

    def pauses_since(self, otherwise: datetime) -> datetime:
        """Return since when it pauses; ``otherwise`` if nobody reported when it began."""
        if self.procedure.contradictory and self.procedure.ends is not None:
            return self.procedure.ends
        return otherwise if self.since is None else self.since

    def covers(self, instant: datetime) -> bool:
        """Return whether the procedure blocks at an instant."""
        begun = self.since is None or self.since <= instant
        return begun and (self.until is None or self.until > instant)


CHECKS: Final = (Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED, Guard.NON_REFOULEMENT_CHECK_MISSING)
"""Guards of which an end without a begin reports a check, not a period."""


def blocking_span(
    procedure: Procedure, *, decided: bool, ended_at: datetime | None
) -> BlockingSpan:
    """Return the period in which a procedure blocks.

    An end of a check without a begin reports a check, not a period. ``decided`` procedures go on
    blocking after an end without a decision. ``ended_at`` is an end that follows from something
    else: an answer, or a review of the person's vulnerability.
    """
    begins, ends = procedure.begins, procedure.ends
    if procedure.contradictory and ended_at is None:
        return BlockingSpan(procedure, None, None, GuardState.UNKNOWN)
    if begins is None and procedure.guard in CHECKS:
        begins = ends
    undecided = decided and ends is not None and not procedure.decision_reported
    if undecided:
        ends = None
    if ended_at is not None and (ends is None or ended_at < ends or procedure.contradictory):
        ends = ended_at
    return BlockingSpan(procedure, begins, ends, GuardState.ACTIVE, undecided)
