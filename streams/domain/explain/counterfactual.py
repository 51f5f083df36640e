"""List the single facts that might change what stands on a case, each reported at the instant.

They come in a fixed order, so that the first one that changes something is always the same: first
what is known about the person (circumstances that end, a reason for an absence), then what the
person or the office may do next (an interview, an appointment), then circumstances that begin. An
answer settles every proposal and an end ends every case, so these two are tried last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from schemas.events import (
    Answer,
    AnswererRole,
    AnswerReason,
    AppointmentPlanned,
    AppointmentPurpose,
    AppointmentState,
    CircumstanceChanged,
    CircumstanceOutcome,
    CircumstanceState,
    CoachRole,
    Conclusion,
    Cooperation,
    EndReason,
    Event,
    FollowUpEnded,
    FollowUpState,
    InterviewCompleted,
    Justification,
    OqtIssued,
    ProposalAnswered,
    Review,
)
from schemas.outcomes import EscalationRaised
from schemas.types import Guard, unvalidated
from streams.domain.case import Fact
from streams.domain.clocks import Calendar
from streams.domain.endings import End
from streams.domain.identity import name_id
from streams.domain.judge import Judge, Judgement
from streams.domain.situation import Situation

_AHEAD: Final = 5
"""Working days after which the appointment that is tried takes place."""
_LATER: Final = timedelta(microseconds=1)
_NAME: Final = "what-if"
"""Reference of everything that is tried; no upstream system has reported it."""

_interview: Final = unvalidated(InterviewCompleted)
_appointment: Final = unvalidated(AppointmentPlanned)
_circumstance: Final = unvalidated(CircumstanceChanged)
_answer: Final = unvalidated(ProposalAnswered)
_end: Final = unvalidated(FollowUpEnded)


def single_facts(
    judge: Judge,
    judgement: Judgement,
    standing: Sequence[EscalationRaised],
    office_id: str,
    calendar: Calendar,
) -> Iterator[Fact]:
    """Yield the facts to try, one at a time and in their order, as of the judge's instant."""
    situation = judge.situation
    now = situation.now
    if situation.end is not None:
        yield _reopened(situation.end, now)
        return
    yield from _ends_of_circumstances(judge, judgement)
    # Of two absences of one kind, the newest says as much as the other.
    newest = {miss.kind: miss for miss in situation.missed}
    for miss in sorted(newest.values(), key=lambda one: one.event.scheduled_at, reverse=True):
        if miss.event.review is not Review.ACCEPTED:
            justification = miss.event.justification
            if justification in (Justification.NONE, Justification.UNKNOWN):
                justification = Justification.OTHER_ACCEPTED
            update = {"justification": justification, "review": Review.ACCEPTED}
            yield _correcting(miss.fact, miss.event.model_copy(update=update), now)
    if situation.order is not None:
        yield _held(situation, situation.order, office_id, Conclusion.UNDECIDED)
        yield _planned(situation, situation.order, office_id, calendar)
        for conclusion in Conclusion:
            if conclusion is not Conclusion.UNDECIDED:
                yield _held(situation, situation.order, office_id, conclusion)
    for guard in Guard:
        if guard in judge.policy.counting.pausing:
            event = _circumstance(
                circumstance=guard,
                state=CircumstanceState.BEGINS,
                effective_at=now,
                reference=_NAME,
            )
            yield _new(event, now)
    for one in standing:
        yield _new(_answered(one.escalation_id, one.round, one.addressed_to, now), now)
    end = _end(state=FollowUpState.ENDED, reason=EndReason.LEFT_VOLUNTARILY, effective_at=now)
    yield _new(end, now)


def _new(event: Event, at: datetime, source: str = "") -> Fact:
    return Fact(at, name_id(f"{_NAME}|{event!r}"), event, source)


def _correcting(fact: Fact, event: Event, now: datetime) -> Fact:
    """Return a later version of a fact by its own source."""
    return _new(event, max(now, fact.time + _LATER), fact.source)


def _reopened(end: End, now: datetime) -> Fact:
    of_end = end.fact.event
    order_id = of_end.order_id if isinstance(of_end, FollowUpEnded) else None
    event = _end(
        order_id=order_id, state=FollowUpState.REOPENED, reason=end.reason, effective_at=now
    )
    return _correcting(end.fact, event, now)


def _ends_of_circumstances(judge: Judge, judgement: Judgement) -> Iterator[Fact]:
    """Yield ends of circumstances that hold a rule back or are asked about, and missing checks."""
    situation = judge.situation
    now = situation.now
    question = situation.question or situation.decision_missing
    asked = question.procedure if question is not None else None
    holding = {guard for one in judgement.blocked for guard, _ in one.by}
    for guard, spans in situation.spans.items():
        running = [span.procedure for span in spans if span.covers(now)]
        # While several hold a guard, the end of one alone does not clear it.
        tried = running if guard in holding and len(running) == 1 else []
        if asked is not None and asked.guard is guard and asked not in tried:
            tried = [*tried, asked]
        for procedure in tried:
            decided = guard in judge.policy.counting.decided
            event = _circumstance(
                circumstance=guard,
                state=CircumstanceState.ENDS,
                effective_at=now,
                reference=procedure.reference,
                outcome=CircumstanceOutcome.REFUSED if decided else None,
            )
            yield _correcting(procedure.facts[-1], event, now)
    required = {guard: None for rule in judge.matches.matching for guard in rule.requires}
    for guard in required:
        yield _new(
            _circumstance(
                circumstance=guard,
                state=CircumstanceState.ENDS,
                effective_at=now,
                reference=_NAME,
            ),
            now,
        )


def _held(situation: Situation, order: OqtIssued, office_id: str, conclusion: Conclusion) -> Fact:
    now = situation.now
    event = _interview(
        order_id=order.order_id,
        interview_id=_NAME,
        sequence=min(len(situation.interviews) + 1, 999),
        held_at=now,
        office_id=office_id,
        coach_role=CoachRole.INDIVIDUAL,
        conclusion=conclusion,
        cooperation=Cooperation.COOPERATING,
        vulnerability_reviewed=True,
    )
    return _new(event, now)


def _planned(situation: Situation, order: OqtIssued, office_id: str, calendar: Calendar) -> Fact:
    now = situation.now
    event = _appointment(
        order_id=order.order_id,
        appointment_id=_NAME,
        office_id=office_id,
        at=calendar.after_working_days(now, _AHEAD) - timedelta(hours=14),
        state=AppointmentState.PLANNED,
        purpose=AppointmentPurpose.FOLLOW_UP,
    )
    return _new(event, now)


def _answered(escalation_id: str, round_: int, role: AnswererRole, now: datetime) -> Event:
    return _answer(
        escalation_id=escalation_id,
        round=round_,
        answer=Answer.DONE,
        reason=AnswerReason.OTHER,
        role=role,
        answered_at=now,
    )
