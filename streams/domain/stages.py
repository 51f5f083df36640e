"""Derive those parts of a situation that read many facts: the stages of the derivation.

A situation is derived once for each change of a case, so ``Stages`` keeps nothing; ``KeptStages``
does, for explanations.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias, TypeVar, assert_never, final

from schemas.codes import Guard
from schemas.events import (
    AnswererRole,
    AppointmentMissed,
    AppointmentPlanned,
    CircumstanceChanged,
    FollowUpEnded,
    InterviewCompleted,
    OqtIssued,
    ProposalAnswered,
)
from streams.domain.answers import Settlements, settlements
from streams.domain.appointments import (
    NO_APPOINTMENTS,
    Appointments,
    PlannedAppointment,
    appointments,
    in_order,
    planned,
)
from streams.domain.case import Case, Fact, fold
from streams.domain.clocks import Calendar
from streams.domain.orders import (
    OrderVersions,
    Residences,
    Stay,
    newest_versions,
    residences,
    stays,
)
from streams.domain.pauses import Pausing
from streams.domain.procedures import BlockingSpan, Procedure, blocking_span, procedures
from streams.domain.questions import Question, ask
from streams.domain.terms import Counting, PolicyTerms, QuestionRules


@final
class Interview:
    """An interview that took place."""

    fact: Final[Fact]
    event: Final[InterviewCompleted]

    def __init__(self, fact: Fact, event: InterviewCompleted) -> None:
        self.fact = fact
        self.event = event


@final
class CaseFacts:
    """The facts of a case by type, in no particular order, and those reported first and last."""

    def __init__(self, case: Case, now: datetime, earliest: Fact) -> None:
        self.case: Final = case
        self.now: Final = now
        self.earliest = earliest
        self.latest: Fact | None = None
        """The one reported last up to ``now``; None if all are dated later."""
        self.reported_later: list[datetime] = []
        self.orders: list[tuple[Fact, OqtIssued]] = []
        self.misses: list[tuple[Fact, AppointmentMissed]] = []
        self.interviews: list[Interview] = []
        self.changes: list[tuple[Fact, CircumstanceChanged]] = []
        self.planned: list[tuple[Fact, AppointmentPlanned]] = []
        self.answers: list[tuple[Fact, ProposalAnswered]] = []
        self.ends: list[tuple[Fact, FollowUpEnded]] = []
        self.changed: tuple[CaseFacts, Guard] | None = None
        """The facts that these were made of, and the only guard of which ``changes`` differ."""
        self._sorted: list[Fact] = []
        """The facts in the order in which they were reported; empty until it is asked for."""

    def having(self, fact: Fact) -> CaseFacts:
        """Return the facts with one more, or with another version of one that is known.

        Every list that the fact does not change is the same object.
        """
        case, known = fold(self.case, [fact]), self.case.facts.get(fact.key)
        if case.facts[fact.key] is not fact:
            return self
        by_time = [one for one in self._by_time() if one is not known]
        insort(by_time, fact, key=_reported)
        found = self._with_same_lists(case, self.now, by_time)
        event = fact.event
        if type(event) is OqtIssued:
            found.orders = _with(self.orders, known, (fact, event))
        elif type(event) is AppointmentMissed:
            found.misses = _with(self.misses, known, (fact, event))
        elif type(event) is InterviewCompleted:
            others = [one for one in self.interviews if one.fact is not known]
            found.interviews = [*others, Interview(fact, event)]
        elif type(event) is CircumstanceChanged:
            found.changes = _with(self.changes, known, (fact, event))
            found.changed = (self, event.circumstance)
        elif type(event) is AppointmentPlanned:
            found.planned = _with(self.planned, known, (fact, event))
        elif type(event) is ProposalAnswered:
            found.answers = _with(self.answers, known, (fact, event))
        elif type(event) is FollowUpEnded:
            found.ends = _with(self.ends, known, (fact, event))
        else:
            assert_never(event)
        return found

    def at(self, now: datetime) -> CaseFacts:
        """Return the same facts as of another instant."""
        return self._with_same_lists(self.case, now, self._by_time())

    def _by_time(self) -> list[Fact]:
        if not self._sorted:
            self._sorted = sorted(self.case.facts.values(), key=_reported)
        return self._sorted

    def _with_same_lists(self, case: Case, now: datetime, by_time: list[Fact]) -> CaseFacts:
        found = CaseFacts(case, now, by_time[0])
        found.orders, found.misses, found.interviews = self.orders, self.misses, self.interviews
        found.changes, found.planned = self.changes, self.planned
        found.answers, found.ends = self.answers, self.ends
        found._sorted = by_time
        reported = bisect_right(by_time, now, key=_time)
        found.latest = by_time[reported - 1] if reported else None
        found.reported_later = [fact.time for fact in by_time[reported:]]
        return found


E = TypeVar("E")


def _with(
    pairs: Sequence[tuple[Fact, E]], known: Fact | None, pair: tuple[Fact, E]
) -> list[tuple[Fact, E]]:
    return [*(one for one in pairs if one[0] is not known), pair]


def _reported(fact: Fact) -> tuple[datetime, int]:
    return fact.time, fact.event_id.int


def _time(fact: Fact) -> datetime:
    return fact.time


def _is_reported_after(one: Fact, other: Fact) -> bool:
    """Return whether ``_reported`` of one is greater: for two facts, at half of its cost."""
    if one.time != other.time:
        return one.time > other.time
    # By number: comparing UUIDs runs Python code of theirs.
    return one.event_id.int > other.event_id.int


def facts_of(case: Case, now: datetime) -> CaseFacts:
    """Return the facts of a case, which has at least one."""
    found = CaseFacts(case, now, next(iter(case.facts.values())))
    for fact in case.facts.values():
        event, earliest = fact.event, found.earliest
        if _is_reported_after(earliest, fact):
            found.earliest = fact
        latest: Fact | None = found.latest
        if fact.time > now:
            found.reported_later.append(fact.time)
        elif latest is None or _is_reported_after(fact, latest):
            found.latest = fact
        if type(event) is OqtIssued:
            found.orders.append((fact, event))
        elif type(event) is AppointmentMissed:
            found.misses.append((fact, event))
        elif type(event) is InterviewCompleted:
            found.interviews.append(Interview(fact, event))
        elif type(event) is CircumstanceChanged:
            found.changes.append((fact, event))
        elif type(event) is AppointmentPlanned:
            found.planned.append((fact, event))
        elif type(event) is ProposalAnswered:
            found.answers.append((fact, event))
        elif type(event) is FollowUpEnded:
            found.ends.append((fact, event))
        else:
            assert_never(event)
    return found


class Answers(NamedTuple):
    """Newest answer to each proposal: of whatever role, and of officials."""

    every: Settlements
    decisions: Settlements
    changes_at: Sequence[datetime]


class Spans(NamedTuple):
    """What the circumstances of one guard amount to."""

    spans: Sequence[BlockingSpan]
    questions: Sequence[Question]
    changes_at: Sequence[datetime]


Lived: TypeAlias = tuple[tuple[Stay, ...], Residences]
"""Where the person lived under an order: in which lodging, and at which residence."""
Attempt = tuple[Fact, AppointmentMissed]
Step = tuple[datetime, Fact]


class Stages:
    """The stages, each computed anew.

    Mappings and sequences that a stage returns or gets are never changed afterwards.
    """

    def orders(self, facts: CaseFacts) -> Mapping[str, OrderVersions]:
        """Return each order with its versions, by reference."""
        return newest_versions(facts.orders, facts.case.rank)

    def order(self, current: OrderVersions) -> Lived:
        """Return where the person lived under an order."""
        return stays(current), residences(current)

    def answers(self, facts: CaseFacts, terms: PolicyTerms, calendar: Calendar) -> Answers:
        """Return the answers given up to the facts' instant."""
        now = facts.now
        by_officials = [one for one in facts.answers if one[1].role is AnswererRole.OFFICIAL]
        decisions = settlements(by_officials, terms, calendar, now)
        every = settlements(facts.answers, terms, calendar, now)
        changes = [answer.answered_at for _, answer in facts.answers]
        untils = [s.until for s in (*every.values(), *decisions.values())]
        return Answers(every, decisions, changes + [at for at in untils if at is not None])

    def interviews(self, facts: CaseFacts) -> tuple[tuple[Interview, ...], list[Interview]]:
        """Return the interviews held up to the facts' instant in order, and those dated later."""
        now = facts.now
        held = [interview for interview in facts.interviews if interview.event.held_at <= now]
        future = [interview for interview in facts.interviews if interview.event.held_at > now]
        held.sort(key=lambda interview: (interview.event.held_at, interview.event.interview_id))
        return tuple(held), future

    def procedures(self, facts: CaseFacts) -> Mapping[Guard, Sequence[Procedure]]:
        """Return the circumstances of each guard."""
        return procedures(facts.changes, facts.case.rank)

    def spans(
        self,
        guard: Guard,
        of_guard: Sequence[Procedure],
        answers: Settlements,
        interviews: tuple[Interview, ...],
        facts: CaseFacts,
        counting: Counting,
        rules: QuestionRules,
        calendar: Calendar,
    ) -> Spans:
        """Return the periods in which circumstances block, and the questions that they raise."""
        spans: list[BlockingSpan] = []
        questions: list[Question] = []
        changes: list[datetime] = []
        case_id, now, decided = facts.case.case_id, facts.now, guard in counting.decided
        for procedure in of_guard:
            asked = ask(case_id, procedure, answers, counting, rules, calendar, now)
            if procedure.ends is not None:
                changes.append(procedure.ends)
            if asked.question is not None:
                questions.append(asked.question)
                changes.append(asked.question.due)
            ended_at = asked.ended_at
            if guard is Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED and ended_at is None:
                ended_at = _reviewed_after(procedure.begins, procedure.ends, interviews)
            spans.append(blocking_span(procedure, decided=decided, ended_at=ended_at))
        return Spans(spans, questions, changes)

    def pausings(
        self, guard: Guard, spans: Sequence[BlockingSpan], first_event: datetime
    ) -> Sequence[Pausing]:
        """Return the periods as pauses."""
        return [Pausing(guard.value, span.pauses_since(first_event), span.until) for span in spans]

    def planned(
        self,
        facts: CaseFacts,
        orders: Mapping[str, OrderVersions],
        interviews: tuple[Interview, ...],
    ) -> Mapping[str, PlannedAppointment]:
        """Return every planned appointment, by reference."""
        return planned(
            [(o.fact, o.order) for o in orders.values()],
            [(interview.fact, interview.event) for interview in interviews],
            facts.planned,
        )

    def attempts(
        self,
        facts: CaseFacts,
        order: OqtIssued,
        attended: tuple[Interview, ...],
        known: Mapping[str, PlannedAppointment],
    ) -> tuple[list[Attempt], list[Attempt]]:
        """Return the misses under an order up to the facts' instant, and those dated later.

        The former in order, without those of a person who attended or was not expected.
        """
        names = {interview.event.appointment_id for interview in attended}
        now = facts.now
        found: list[Attempt] = []  # list[Attempt]() would build its type each time
        future: list[Attempt] = []
        for fact, miss in facts.misses:
            if miss.scheduled_at > now:
                future.append((fact, miss))
            elif (
                miss.order_id == order.order_id
                and miss.scheduled_at >= order.notified_at
                and miss.appointment_id not in names
                and _expected(miss, known)
            ):
                found.append((fact, miss))
        if len(found) > 1:
            found.sort(key=lambda one: (one[1].scheduled_at, one[1].appointment_id))
        return found, future

    def appointments(
        self,
        facts: CaseFacts,
        order: OqtIssued,
        interviews: tuple[Interview, ...],
        known: Mapping[str, PlannedAppointment],
        limit: datetime,
    ) -> Appointments:
        """Return the appointments under an order."""
        of_order = self.of_order(known, order)
        if not of_order:
            return NO_APPOINTMENTS
        reported = self.reported(facts, interviews, known)
        last_held = interviews[-1].event.held_at if interviews else None
        return appointments(of_order, reported, last_held, facts.now, limit)

    def of_order(
        self, known: Mapping[str, PlannedAppointment], order: OqtIssued
    ) -> tuple[PlannedAppointment, ...]:
        """Return the appointments under an order by their times."""
        return in_order(known.values(), order.order_id)

    def reported(
        self,
        facts: CaseFacts,
        interviews: tuple[Interview, ...],
        known: Mapping[str, PlannedAppointment],
    ) -> set[str]:
        """Return the references of the appointments whose outcome was reported."""
        found = {i.event.appointment_id for i in interviews if i.event.appointment_id is not None}
        for _, miss in facts.misses:
            one = known.get(miss.appointment_id)
            if one is None or one.reported_by(miss.scheduled_at):
                found.add(miss.appointment_id)
        return found

    def later(self, stage: str, changes: Sequence[datetime], now: datetime) -> Sequence[datetime]:
        """Return the first instant after ``now`` that a stage returned, or more of them."""
        del stage, now
        return changes

    def appointments_change_at(
        self, known: tuple[PlannedAppointment, ...], order: OqtIssued
    ) -> Sequence[datetime]:
        """Return when appointments change the situation by the passing of time alone."""
        found: list[datetime] = []
        for one in known:
            found.append(one.fact.time)
            if not one.takes_place:
                found.append(cancelled_at(one, order))
                found.append(step_at(one))
        return found

    def steps(
        self,
        attempts: Sequence[Attempt],
        known: tuple[PlannedAppointment, ...],
        answers: Settlements,
        now: datetime,
        limit: datetime,
    ) -> Sequence[Step]:
        """Return the latest of the steps that attempts, appointments and answers are, or more.

        In a tie, the one whose fact has the greatest event id. Empty without any step.
        """
        steps = [(miss.scheduled_at, fact) for fact, miss in attempts]
        for one in known:
            at = step_at(one)
            if at <= (limit if one.takes_place else now):
                steps.append((at, one.fact))
        steps += [(answer.event.answered_at, answer.fact) for answer in answers.values()]
        return steps


STAGES: Final = Stages()


def _expected(miss: AppointmentMissed, known: Mapping[str, PlannedAppointment]) -> bool:
    one = known.get(miss.appointment_id)
    return one is None or one.expects(miss.scheduled_at)


def _reviewed_after(
    begins: datetime | None, ends_at: datetime | None, interviews: Sequence[Interview]
) -> datetime | None:
    if begins is None or ends_at is not None:
        return None
    for interview in interviews:
        if interview.event.vulnerability_reviewed and interview.event.held_at >= begins:
            return interview.event.held_at
    return None


def cancelled_at(one: PlannedAppointment, order: OqtIssued) -> datetime:
    """Return since when a cancelled appointment leaves the person without one."""
    return min(one.at, max(one.fact.time, order.notified_at))


def step_at(one: PlannedAppointment) -> datetime:
    """Return when an appointment, or its cancellation, is a step of the follow-up."""
    return one.at if one.takes_place else min(one.at, one.fact.time)


def by_time(step: Step) -> tuple[datetime, int]:
    """Return the place of a step among others: by its time, then by the id of its event."""
    return step[0], step[1].event_id.int
