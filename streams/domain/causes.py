"""The occasion on which a rule proposes something: it makes the identity of an escalation.

Pure. The same rule on the same occasion is the same escalation, however often it is judged.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never, final

from streams.domain.case import Fact
from streams.domain.clocks import Calendar
from streams.domain.derivation import interview_occasion, miss_occasion
from streams.domain.policy.rules import Occasion, Rule
from streams.domain.situation import Due, Situation


@final
class Cause:
    """The occasion of a proposal, its facts, and the instant since which it is due, if any."""

    occasion: Final[str]
    facts: Final[tuple[Fact, ...]]
    since: Final[datetime | None]

    def __init__(
        self, occasion: str, facts: tuple[Fact, ...], since: datetime | None = None
    ) -> None:
        self.occasion = occasion
        self.facts = facts
        self.since = since


def cause_of(rule: Rule, situation: Situation, calendar: Calendar) -> Cause:
    """Return the occasion of a rule that applies to a situation, with its facts."""
    order, fact = situation.order, situation.order_fact
    if order is None or fact is None:
        return _cause_without_order(rule, situation, calendar)
    prefix = order.order_id
    match rule.occasion:
        case Occasion.COUNTED_MISS:
            missed = situation.counted[: rule.nth]
            return Cause(miss_occasion(order, missed[-1]), (fact, *(m.fact for m in missed)))
        case Occasion.LAST_MISS:
            last = situation.missed[-1]
            return Cause(miss_occasion(order, last), (fact, last.fact))
        case Occasion.LAST_INTERVIEW:
            interview = situation.own_interviews[-1]
            return Cause(interview_occasion(order, interview), (fact, interview.fact))
        case Occasion.LAST_CONTACT:
            return _since(
                calendar, prefix, situation.last_contact, fact, situation.last_contact_fact
            )
        case Occasion.LAST_STEP:
            return _since(calendar, prefix, situation.last_step, fact, situation.last_step_fact)
        case Occasion.LAST_REPORT:
            report = situation.last_report
            return _since(calendar, prefix, report.time, fact, report)
        case Occasion.ORDER:
            return Cause(f"{prefix}/order", (fact,))
        case Occasion.APPOINTMENT:
            unreported = situation.appointments.unreported
            if unreported is None:
                return Cause(f"{prefix}/appointment", (fact,))
            occasion = f"{prefix}/appointment/{unreported.appointment_id}"
            return Cause(occasion, _both(fact, unreported.fact), unreported.at)
        case Occasion.DETENTION:
            stay = situation.stays[-1]
            since = calendar.local_date(stay.since).isoformat()
            return Cause(f"{prefix}/{stay.lodging}-since/{since}", (fact,), stay.since)
        case Occasion.ACCEPTANCE | Occasion.PROSPECT:
            until = situation.acceptance or situation.prospect
            if until is None:
                return Cause(f"{prefix}/{rule.occasion}", (fact,))
            occasion = interview_occasion(order, until.interview)
            return Cause(occasion, _both(fact, until.interview.fact))
        case Occasion.REVIEW:
            review = situation.review
            if review is None:
                return Cause(f"{prefix}/review", (fact,))
            occasion = f"{prefix}/review/{review.event.escalation_id}"
            counted = [miss.fact for miss in situation.counted]
            return Cause(occasion, (fact, *counted, review.fact), review.event.answered_at)
        case Occasion.INVITATION:
            return _due_cause(situation.invitation, f"{prefix}/invite", fact)
        case Occasion.QUESTION | Occasion.DECISION:
            asked = (
                situation.question
                if rule.occasion is Occasion.QUESTION
                else situation.decision_missing
            )
            if asked is None:
                return Cause(f"{prefix}/{rule.occasion}", (fact,))
            return Cause(asked.occasion, asked.procedure.facts, asked.due)
        case Occasion.END:
            return _due_cause(situation.end_question, f"{prefix}/end", fact)
        case Occasion.DATE:
            return _due_cause(situation.date_question, f"{prefix}/date", fact)
        case Occasion.FIRST_EVENT:
            return _cause_without_order(rule, situation, calendar)
        case _:
            assert_never(rule.occasion)


def _cause_without_order(rule: Rule, situation: Situation, calendar: Calendar) -> Cause:
    """Return the cause of a rule that needs no order: only its first event is known."""
    match rule.occasion:
        case Occasion.QUESTION if situation.question is not None:
            asked = situation.question
            return Cause(asked.occasion, asked.procedure.facts, asked.due)
        case Occasion.DECISION if situation.decision_missing is not None:
            asked = situation.decision_missing
            return Cause(asked.occasion, asked.procedure.facts, asked.due)
        case Occasion.DATE:
            return _due_cause(situation.date_question, "date", situation.last_step_fact)
        case Occasion.FIRST_EVENT:
            since = calendar.local_date(situation.first_event).isoformat()
            return Cause(f"{rule.occasion}/{since}", (situation.first_event_fact,))
        case Occasion.LAST_REPORT:
            report = situation.last_report
            since = calendar.local_date(report.time).isoformat()
            return Cause(f"{rule.occasion}/{since}", (report,))
        case _:
            since = calendar.local_date(situation.last_step).isoformat()
            return Cause(f"{rule.occasion}/{since}", (situation.last_step_fact,))


def _since(calendar: Calendar, prefix: str, instant: datetime, order: Fact, fact: Fact) -> Cause:
    since = calendar.local_date(instant).isoformat()
    return Cause(f"{prefix}/silent-since/{since}", _both(order, fact))


def _due_cause(due: Due | None, otherwise: str, fact: Fact) -> Cause:
    if due is None:
        return Cause(otherwise, (fact,))
    return Cause(due.occasion, due.facts, due.since)


def _both(order: Fact, fact: Fact) -> tuple[Fact, ...]:
    return (order,) if fact is order else (order, fact)
