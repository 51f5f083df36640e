"""Derive the questions that reported circumstances raise, and what their answers change.

- *decision*: a procedure ended and no decision was reported.
- *aged*: a circumstance is older than the policy allows without asking whether it still holds. It
  has no end, or one in the future.
- *contradictory*: a circumstance ends before it begins.

An answer with the reason ``no_longer_holds`` ends the circumstance. Any other final answer to
*aged* starts a new age; until an answer arrives, the circumstance goes on blocking.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, final

from streams.domain.answers import Settlements
from streams.domain.clocks import Calendar, duration
from streams.domain.identity import escalation_id
from streams.domain.procedures import Procedure
from streams.domain.terms import Counting, QuestionRules


class QuestionKind(StrEnum):
    """What is asked about a circumstance."""

    DECISION = "decision"
    AGED = "aged"
    CONTRADICTORY = "contradictory"


@final
class Question:
    """A question about a circumstance, due at an instant, with its occasion."""

    kind: Final[QuestionKind]
    procedure: Final[Procedure]
    due: Final[datetime]
    occasion: Final[str]

    def __init__(
        self, kind: QuestionKind, procedure: Procedure, due: datetime, occasion: str
    ) -> None:
        self.kind = kind
        self.procedure = procedure
        self.due = due
        self.occasion = occasion


@final
class Asked:
    """The open question about a procedure, if any, and when an answer ended the procedure."""

    question: Final[Question | None]
    ended_at: Final[datetime | None]

    def __init__(self, question: Question | None, ended_at: datetime | None) -> None:
        self.question = question
        self.ended_at = ended_at


def ask(
    case_id: str,
    procedure: Procedure,
    settlements: Settlements,
    counting: Counting,
    rules: QuestionRules,
    calendar: Calendar,
    now: datetime,
) -> Asked:
    """Return the question that a procedure raises and that no final answer settled.

    A procedure that ends after ``now`` has an age like one without an end: its end may be an error.
    """
    name = f"{procedure.guard}/{procedure.reference}"
    told = max([fact.time for fact in procedure.facts])
    if procedure.contradictory:
        occasion = f"circumstance/{name}/{calendar.local_date(told).isoformat()}"
        question = Question(QuestionKind.CONTRADICTORY, procedure, told, occasion)
        return _answered(case_id, rules.confirm, question, settlements)
    ends = procedure.ends if procedure.ends is not None and procedure.ends <= now else None
    if ends is not None and procedure.guard in counting.decided:
        if procedure.decision_reported:
            return Asked(None, None)
        question = Question(QuestionKind.DECISION, procedure, max(ends, told), f"decision/{name}")
        return _answered(case_id, rules.decision, question, settlements)
    days = counting.longest_days.get(procedure.guard)
    if days is None or ends is not None:
        return Asked(None, None)
    age_since = procedure.begins or told
    while True:
        day = calendar.local_date(age_since)
        question = Question(
            QuestionKind.AGED,
            procedure,
            calendar.start_of(day + duration(days)),
            f"circumstance/{name}/{day.isoformat()}",
        )
        if rules.confirm is None or not settlements:
            return Asked(question, None)
        answer = settlements.get(escalation_id(case_id, rules.confirm, question.occasion))
        if answer is None or answer.until is not None:
            return Asked(question, None)
        answered_at = answer.event.answered_at
        if answer.says_ended:
            return Asked(None, answered_at)
        if calendar.local_date(answered_at) <= day:
            return Asked(question, None)
        age_since = answered_at


def _answered(
    case_id: str, rule_id: str | None, question: Question, settlements: Settlements
) -> Asked:
    if rule_id is not None and settlements:
        answer = settlements.get(escalation_id(case_id, rule_id, question.occasion))
        if answer is not None and answer.until is None and answer.says_ended:
            return Asked(None, answer.event.answered_at)
    return Asked(question, None)


def first(questions: Sequence[Question], *kinds: QuestionKind) -> Question | None:
    """Return the question of these kinds that is due first, or None."""
    of_kind = [question for question in questions if question.kind in kinds]
    return min(of_kind, key=lambda question: (question.due, question.occasion), default=None)
