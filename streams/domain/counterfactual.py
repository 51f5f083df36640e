"""List the single facts that might change what stands on a case, each reported at the instant.

They come in a fixed order, so that the first one that changes something is always the same: first
what is known about the person (circumstances that end, a reason for an absence), then what the
person or the office may do next (an interview, an appointment), then circumstances that begin. An
answer settles every proposal and an end ends every case, so these two are tried last.

A trial says what would be reported. To find out which one changes something, most of them need no
event: it is made only for the one that does, or to ask ``decide``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, assert_never, final

from schemas.codes import Guard
from schemas.events import (
    EVENT_TYPES,
    Answer,
    AnswererRole,
    AnswerReason,
    AppointmentMissed,
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
    ProposalAnswered,
    Review,
)
from schemas.instants import rfc3339
from schemas.outcomes import ORDER_NOT_KNOWN, EscalationRaised
from schemas.types import unvalidated
from streams.domain.case import Fact
from streams.domain.endings import End
from streams.domain.identity import name_id
from streams.domain.judge import Judge, Judgement
from streams.domain.procedures import Procedure
from streams.domain.situation import MissedAppointment, Situation

_AHEAD: Final = 5
"""Working days after which the appointment that is tried takes place."""
_LATER: Final = timedelta(microseconds=1)
NAME: Final = "what-if"
"""Reference of everything that is tried; no upstream system has reported it."""


@final
class EndOf:
    """A circumstance ends; a procedure that is decided ends with a refusal."""

    procedure: Final[Procedure]

    def __init__(self, procedure: Procedure) -> None:
        self.procedure = procedure


@final
class Checked:
    """A guard that a rule requires to be reported clear is reported so."""

    guard: Final[Guard]

    def __init__(self, guard: Guard) -> None:
        self.guard = guard


@final
class Justified:
    """The reason for an absence is accepted."""

    miss: Final[MissedAppointment]

    def __init__(self, miss: MissedAppointment) -> None:
        self.miss = miss


@final
class Held:
    """An interview is held, with a conclusion."""

    conclusion: Final[Conclusion]

    def __init__(self, conclusion: Conclusion) -> None:
        self.conclusion = conclusion


@final
class Planned:
    """An appointment is planned."""


@final
class Begins:
    """A circumstance that pauses the follow-up begins."""

    guard: Final[Guard]

    def __init__(self, guard: Guard) -> None:
        self.guard = guard


@final
class Answered:
    """A proposal is answered by the role that it is addressed to."""

    escalation_id: Final[str]
    round: Final[int]
    role: Final[AnswererRole]

    def __init__(self, escalation_id: str, round_: int, role: AnswererRole) -> None:
        self.escalation_id = escalation_id
        self.round = round_
        self.role = role


@final
class Ended:
    """The follow-up ends."""


@final
class Reopened:
    """The end of the follow-up is taken back."""

    end: Final[End]

    def __init__(self, end: End) -> None:
        self.end = end


Trial: TypeAlias = (
    EndOf | Checked | Justified | Held | Planned | Begins | Answered | Ended | Reopened
)

UNDECIDED: Final = Held(Conclusion.UNDECIDED)
PLANNED: Final = Planned()
_OTHER_INTERVIEWS: Final = [
    Held(conclusion) for conclusion in Conclusion if conclusion is not Conclusion.UNDECIDED
]
_BEGINS: Final = [Begins(guard) for guard in Guard]
_ENDED: Final = Ended()


def single_facts(
    judge: Judge,
    judgement: Judgement,
    standing: Sequence[EscalationRaised],
    office_id: str,
) -> Iterator[Fact]:
    """Yield the facts to try, one at a time and in their order, as of the judge's instant."""
    answers = [Answered(one.escalation_id, one.round, one.addressed_to) for one in standing]
    for trial in trials(judge, judgement, answers):
        yield fact_of(trial, judge, office_id)


def trials(judge: Judge, judgement: Judgement, answers: Sequence[Answered]) -> Iterator[Trial]:
    """Yield what to try, in its order. ``answers`` are those to what stands."""
    situation = judge.situation
    if situation.end is not None:
        yield Reopened(situation.end)
        return
    if situation.spans:
        yield from _ends_of_circumstances(judge, judgement)
    for guard in judge.matches.required:
        yield Checked(guard)
    if situation.missed:
        # Of two absences of one kind, the newest says as much as the other.
        newest = {miss.kind: miss for miss in situation.missed}
        for miss in sorted(newest.values(), key=lambda one: one.event.scheduled_at, reverse=True):
            if miss.event.review is not Review.ACCEPTED:
                yield Justified(miss)
    if situation.order is not None:
        yield UNDECIDED
        yield PLANNED
        yield from _OTHER_INTERVIEWS
    for begins in _BEGINS:
        if begins.guard in judge.policy.counting.pausing:
            yield begins
    yield from answers
    yield _ENDED


def _ends_of_circumstances(judge: Judge, judgement: Judgement) -> Iterator[EndOf]:
    """Yield ends of circumstances that hold a rule back or are asked about."""
    situation = judge.situation
    now = situation.now
    question = situation.question or situation.decision_missing
    asked = question.procedure if question is not None else None
    holding = {guard for one in judgement.blocked for guard, _ in one.by}
    for guard, spans in situation.spans.items():
        # While several hold a guard, the end of one alone does not clear it.
        running = [span.procedure for span in spans if guard in holding and span.covers(now)]
        tried = running if len(running) == 1 else []
        if asked is not None and asked.guard is guard and asked not in tried:
            tried = [*tried, asked]
        for procedure in tried:
            yield EndOf(procedure)


Content: TypeAlias = dict[str, Any]
"""The fields of an event; one that is left out has its default."""


def content_of(trial: Trial, judge: Judge, office_id: str) -> tuple[type[Event], Content]:
    """Return the type and the content of the event that would report a trial.

    An interview or an appointment is at ``office_id``.
    """
    situation = judge.situation
    now = situation.now
    if type(trial) is Held:
        return InterviewCompleted, {
            "order_id": _order_of(situation),
            "interview_id": NAME,
            "sequence": min(len(situation.interviews) + 1, 999),
            "held_at": now,
            "office_id": office_id,
            "coach_role": CoachRole.INDIVIDUAL,
            "conclusion": trial.conclusion,
            "cooperation": Cooperation.COOPERATING,
            "vulnerability_reviewed": True,
        }
    if type(trial) is Justified:
        event = trial.miss.event
        justification = event.justification
        if justification in (Justification.NONE, Justification.UNKNOWN):
            justification = Justification.OTHER_ACCEPTED
        accepted = {"justification": justification, "review": Review.ACCEPTED}
        return AppointmentMissed, {**event.__dict__, **accepted}
    if type(trial) is Planned:
        return AppointmentPlanned, {
            "order_id": _order_of(situation),
            "appointment_id": NAME,
            "office_id": office_id,
            "at": planned_at(judge),
            "state": AppointmentState.PLANNED,
            "purpose": AppointmentPurpose.FOLLOW_UP,
        }
    if type(trial) is EndOf:
        procedure = trial.procedure
        content = _circumstance(procedure.guard, CircumstanceState.ENDS, procedure.reference, now)
        if procedure.guard in judge.policy.counting.decided:
            content["outcome"] = CircumstanceOutcome.REFUSED
        return CircumstanceChanged, content
    if type(trial) is Checked:
        return CircumstanceChanged, _circumstance(trial.guard, CircumstanceState.ENDS, NAME, now)
    if type(trial) is Begins:
        return CircumstanceChanged, _circumstance(trial.guard, CircumstanceState.BEGINS, NAME, now)
    if type(trial) is Answered:
        return ProposalAnswered, {
            "escalation_id": trial.escalation_id,
            "round": trial.round,
            "answer": Answer.DONE,
            "reason": AnswerReason.OTHER,
            "role": trial.role,
            "answered_at": now,
        }
    if type(trial) is Ended:
        return FollowUpEnded, {
            "state": FollowUpState.ENDED,
            "reason": EndReason.LEFT_VOLUNTARILY,
            "effective_at": now,
        }
    if type(trial) is Reopened:
        end = trial.end.fact.event
        return FollowUpEnded, {
            "order_id": end.order_id if isinstance(end, FollowUpEnded) else None,
            "state": FollowUpState.REOPENED,
            "reason": trial.end.reason,
            "effective_at": now,
        }
    assert_never(trial)


def _circumstance(
    guard: Guard, state: CircumstanceState, reference: str, effective_at: datetime
) -> Content:
    return {
        "circumstance": guard,
        "state": state,
        "effective_at": effective_at,
        "reference": reference,
    }


def in_codes(model: type[Event], content: Content) -> Content:
    """Return a content as a record has it: its instant as text, its part as a mapping."""
    name = _INSTANT[model]
    text = rfc3339(content[name])
    said = {**content, name: f"{text[:-6]}Z" if text.endswith("+00:00") else text}
    if model is AppointmentMissed:
        said["invitation"] = content["invitation"].__dict__
    return said


_INSTANT: Final[Mapping[type[Event], str]] = {
    AppointmentMissed: "scheduled_at",
    InterviewCompleted: "held_at",
    AppointmentPlanned: "at",
    CircumstanceChanged: "effective_at",
    ProposalAnswered: "answered_at",
    FollowUpEnded: "effective_at",
}
"""The only instant in the content of a trial, by the type of its event."""
_MAKE: Final[Mapping[type[Event], Callable[..., Event]]] = {
    model: unvalidated(model) for model in EVENT_TYPES.values()
}


def fact_of(trial: Trial, judge: Judge, office_id: str) -> Fact:
    """Return a trial as a fact; a later version of a fact that is known is by its own source."""
    model, content = content_of(trial, judge, office_id)
    now, event = judge.situation.now, _MAKE[model](**content)
    known = None
    if type(trial) is EndOf:
        known = trial.procedure.facts[-1]
    elif type(trial) is Justified:
        known = trial.miss.fact
    elif type(trial) is Reopened:
        known = trial.end.fact
    at = now if known is None else max(now, known.time + _LATER)
    source = "" if known is None else known.source
    return Fact(at, name_id(f"{NAME}|{event!r}"), event, source)


def planned_at(judge: Judge) -> datetime:
    """Return when the appointment that is tried takes place."""
    ends = judge.calendar.after_working_days(judge.situation.now, _AHEAD)
    return ends - timedelta(hours=14)


def _order_of(situation: Situation) -> str:
    return situation.order.order_id if situation.order is not None else ORDER_NOT_KNOWN
