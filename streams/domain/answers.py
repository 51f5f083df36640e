"""Derive which proposals are settled by an answer, and until when.

- ``done`` and ``not_applicable`` settle a proposal for its occasion.
- ``postponed`` settles it until the date named, at most for the longest pause of the policy.
- ``taken_up`` settles it until the date by which it should be done.

A settled proposal does not stand. An answer is given to an escalation id, whether the pipeline has
raised that escalation or not: the two may arrive in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, assert_never, final
from uuid import UUID

from schemas.events import (
    Answer,
    AnswerReason,
    ProposalAnswered,
)
from streams.domain.case import Fact
from streams.domain.clocks import Calendar, duration
from streams.domain.terms import PolicyTerms


@final
class Settlement:
    """The newest answer to a proposal. ``until`` is None if it settles the proposal for good."""

    fact: Final[Fact]
    event: Final[ProposalAnswered]
    until: Final[datetime | None]

    def __init__(self, fact: Fact, event: ProposalAnswered, until: datetime | None) -> None:
        self.fact = fact
        self.event = event
        self.until = until

    def settles(self, now: datetime) -> bool:
        """Return whether the proposal is settled at ``now``."""
        return self.until is None or now < self.until

    @property
    def says_ended(self) -> bool:
        """Return whether the answer says that the circumstance asked about no longer holds."""
        return self.event.reason is AnswerReason.NO_LONGER_HOLDS

    @property
    def says_not_applicable(self) -> bool:
        """Return whether the answer says that the proposal does not apply."""
        return self.event.answer is Answer.NOT_APPLICABLE


Settlements = Mapping[UUID, Settlement]
"""Newest answer to each proposal, by escalation id."""


def settlements(
    answers: Iterable[tuple[Fact, ProposalAnswered]],
    terms: PolicyTerms,
    calendar: Calendar,
    now: datetime,
) -> Settlements:
    """Return the newest answer to each proposal, given up to ``now``."""
    newest: dict[UUID, tuple[Fact, ProposalAnswered]] = {}
    for fact, event in answers:
        if event.answered_at > now:
            continue
        escalation_id = UUID(event.escalation_id)
        known = newest.get(escalation_id)
        if known is None or _order(fact, event) > _order(*known):
            newest[escalation_id] = (fact, event)
    return {
        escalation_id: Settlement(fact, event, _until(event, terms, calendar))
        for escalation_id, (fact, event) in newest.items()
    }


def _order(fact: Fact, event: ProposalAnswered) -> tuple[int, datetime, UUID]:
    return event.round, fact.time, fact.event_id


def _until(event: ProposalAnswered, terms: PolicyTerms, calendar: Calendar) -> datetime | None:
    match event.answer:
        case Answer.DONE | Answer.NOT_APPLICABLE:
            return None
        case Answer.TAKEN_UP:
            return calendar.after_working_days(event.answered_at, terms.taken_up_working_days)
        case Answer.POSTPONED:
            latest = event.answered_at + duration(terms.longest_pause_days)
            return latest if event.postponed_until is None else min(event.postponed_until, latest)
        case _:
            assert_never(event.answer)
