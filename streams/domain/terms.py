"""Terms and lists of the policy that the situation and the guards depend on.

All of them are dated data of the policy. Those without a source there are inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.codes import Guard
from schemas.events import TermReason


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """Lengths of terms, in calendar days unless the name says working days."""

    appeal_days: int
    appeal_days_in_custody: int
    urgent_appeal_days: int
    urgent_appeal_days_repeat: int
    residence_prospect_working_days: int
    return_working_days: int
    """How long an accepted voluntary return blocks, counted from the acceptance."""
    answer_working_days: int
    """How long a proposal may stay unanswered before it is announced again."""
    taken_up_working_days: int
    """How long a proposal that was taken up may stay without being done."""
    appointment_days: int
    """How far ahead an appointment may lie; one beyond is asked about and silences nothing."""
    longest_pause_days: int
    """How long a case may stay without anything that happens or is asked."""


@dataclass(frozen=True, slots=True)
class Counting:
    """Lists and switches that say how facts are counted."""

    interview_restarts_count: bool = True
    pausing: frozenset[Guard] = frozenset()
    """Guards under which a miss does not count and after which the first step is an invitation."""
    decided: frozenset[Guard] = frozenset()
    """Procedures that end with a decision: without one, an end goes on blocking."""
    longest_days: Mapping[Guard, int] = field(default_factory=dict)
    """Age in days after which somebody is asked whether a circumstance still holds."""
    minimum_departure_days: Mapping[TermReason, int] = field(default_factory=dict)
    """Shortest departure term that each reason allows."""


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """A rule that asks for a review, and the miss that it is about; 0 means the last interview."""

    rule_id: str
    nth: int


@dataclass(frozen=True, slots=True)
class QuestionRules:
    """Ids of the rules whose answers change the situation itself; None if the policy has none."""

    confirm: str | None = None
    decision: str | None = None
    end: str | None = None
    first_date: str | None = None
    reviews: tuple[ReviewRule, ...] = ()
