"""Derive a case's situation at an instant: what rules test, under the current order.

Where the sources are silent, these rules favour the person (inferred):

- A missed appointment counts only if delivery of the invitation is proven, the invitation is in a
  language of the procedure, no justification is accepted, pending or still to be asked, and it did
  not fall into a pause: the duty is one of effort and mirrors a duty to inform [VR-LAW].
- An interview held under the same appointment proves that the appointment was not missed. Nor was
  one missed that had been cancelled, that had been moved before then, or that lay before the
  notification of its order.
- What speaks for the person carries over to a later order: interviews, an accepted return,
  vulnerability, circumstances. Terms and missed appointments start anew.
- An interview restarts the count of missed appointments (``interview_restarts_count``).
- A fact dated in the future is not believed until then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never, final
from uuid import UUID

from schemas.events import (
    Answer,
    AnswererRole,
    AppointmentMissed,
    AppointmentPlanned,
    AppointmentState,
    CircumstanceChanged,
    CircumstanceOutcome,
    Conclusion,
    Delivery,
    FollowUpEnded,
    InterviewCompleted,
    Justification,
    Lodging,
    OqtIssued,
    ProposalAnswered,
    Review,
    ReviewDecision,
)
from schemas.types import Guard, Language
from streams.domain import orders as order_versions
from streams.domain.answers import Settlement, Settlements, settlements
from streams.domain.appointments import (
    NO_APPOINTMENTS,
    Appointments,
    PlannedAppointment,
    appointments,
    planned,
)
from streams.domain.case import Case, Fact
from streams.domain.clocks import Calendar, Moment
from streams.domain.endings import NO_ENDS, End, Ends, about_person, ends
from streams.domain.identity import escalation_id
from streams.domain.orders import OrderVersions, Residence, Stay
from streams.domain.pauses import DETAINED, END_DUE, Pausing, resumed_at
from streams.domain.procedures import BlockingSpan, blocking_span, procedures
from streams.domain.questions import Question, QuestionKind, ask, first
from streams.domain.terms import Counting, PolicyTerms, QuestionRules


class MissKind(StrEnum):
    """Whether a missed appointment counts and, if not, why."""

    COUNTED = "counted"
    UNDELIVERED = "undelivered"
    WRONG_LANGUAGE = "wrong_language"
    PENDING = "pending"
    NOT_ASKED = "not_asked"
    JUSTIFIED = "justified"
    IN_PAUSE = "in_pause"


class InvitationDue(StrEnum):
    """Why a new invitation is due."""

    NONE = "none"
    JUSTIFIED = "justified"
    PENDING = "pending"
    NOT_ASKED = "not_asked"
    CANCELLED_BY_OFFICE = "cancelled_by_office"
    CANCELLED_BY_PERSON = "cancelled_by_person"
    RESUMED = "resumed"


class EndDue(StrEnum):
    """Why an official is asked to record an end."""

    GRANTED = "granted"
    ORDER_VOID = "order_void"


class DateToCheck(StrEnum):
    """A date that is not believed."""

    MISS_IN_FUTURE = "miss_in_future"
    INTERVIEW_IN_FUTURE = "interview_in_future"
    APPOINTMENT_TOO_FAR = "appointment_too_far"


@final
class Interview:
    """An interview that took place."""

    fact: Final[Fact]
    event: Final[InterviewCompleted]

    def __init__(self, fact: Fact, event: InterviewCompleted) -> None:
        self.fact = fact
        self.event = event


@final
class MissedAppointment:
    """A missed appointment and its kind."""

    fact: Final[Fact]
    event: Final[AppointmentMissed]
    kind: Final[MissKind]

    def __init__(self, fact: Fact, event: AppointmentMissed, kind: MissKind) -> None:
        self.fact = fact
        self.event = event
        self.kind = kind


@final
class Until:
    """An interview whose conclusion blocks until an instant."""

    interview: Final[Interview]
    until: Final[datetime]

    def __init__(self, interview: Interview, until: datetime) -> None:
        self.interview = interview
        self.until = until


@final
class Due:
    """Something that is due since an instant, the facts behind it, and its occasion."""

    since: Final[datetime]
    facts: Final[tuple[Fact, ...]]
    occasion: Final[str]

    def __init__(self, since: datetime, facts: tuple[Fact, ...], occasion: str) -> None:
        self.since = since
        self.facts = facts
        self.occasion = occasion


@final
class Situation:
    """The case at an instant. Each tuple is sorted by time, then by reference."""

    case_id: Final[str]
    now: Final[datetime]
    moment: Final[Moment]
    """``now``, to compare instants with."""
    order: Final[OqtIssued | None]
    """Current order, in its newest version; None if no order is known, or none is in force yet."""
    order_fact: Final[Fact | None]
    order_known: Final[bool]
    """Whether any order is known, in force or not."""
    end: Final[End | None]
    """The end of the follow-up, if it is in effect."""
    stays: Final[tuple[Stay, ...]]
    """Where the person lived since the notification, up to ``now``."""
    lodging_when_notified: Final[Lodging | None]
    residence: Final[Residence | None]
    """Where the person lives at ``now``; None without an order."""
    interviews: Final[tuple[Interview, ...]]
    """Interviews held, under any order."""
    own_interviews: Final[tuple[Interview, ...]]
    """Those under the current order."""
    missed: Final[tuple[MissedAppointment, ...]]
    """Appointments missed under the current order since the count last restarted."""
    counted: Final[tuple[MissedAppointment, ...]]
    """Those of ``missed`` that count."""
    spans: Final[Mapping[Guard, Sequence[BlockingSpan]]]
    """Periods in which reported circumstances block, by guard."""
    acceptance: Final[Until | None]
    """The voluntary return accepted in the last interview, and how long it blocks."""
    prospect: Final[Until | None]
    """The residence prospect of the last interview, and how long it blocks."""
    pauses: Final[tuple[Pausing, ...]]
    appointments: Final[Appointments]
    settlements: Final[Settlements]
    """Newest answer to each proposal, from whatever role."""
    decisions: Final[Settlements]
    """Newest answer of an official to each proposal: only they settle what is for an official."""
    question: Final[Question | None]
    """The question about a circumstance that is due first, at ``now``."""
    decision_missing: Final[Question | None]
    """The question about the decision of a procedure that is due first, at ``now``."""
    invitation_due: Final[InvitationDue]
    invitation: Final[Due | None]
    end_due: Final[EndDue | None]
    end_question: Final[Due | None]
    date_to_check: Final[DateToCheck | None]
    date_question: Final[Due | None]
    date_given: Final[bool]
    """Whether an answer says that a first date was given, though none was reported."""
    review: Final[Settlement | None]
    """The newest final answer to a review of the present occasion."""
    review_decision: Final[ReviewDecision | None]
    last_contact: Final[datetime]
    """Latest of the notification and the interviews."""
    last_contact_fact: Final[Fact]
    last_step: Final[datetime]
    """Latest thing that happened or is planned in the follow-up."""
    last_step_fact: Final[Fact]
    last_report: Final[Fact]
    """The fact reported last; the earliest one if all are dated later than ``now``."""
    last_attempt: Final[datetime | None]
    """Time of the latest interview or missed appointment; None if there is neither."""
    first_event: Final[datetime]
    first_event_fact: Final[Fact]
    changes_at: Final[tuple[datetime, ...]]
    """Instants at which the passing of time changes the situation; some have passed."""

    def __init__(
        self,
        case_id: str,
        now: datetime,
        moment: Moment,
        order: OqtIssued | None,
        order_fact: Fact | None,
        order_known: bool,
        end: End | None,
        stays: tuple[Stay, ...],
        lodging_when_notified: Lodging | None,
        residence: Residence | None,
        interviews: tuple[Interview, ...],
        own_interviews: tuple[Interview, ...],
        missed: tuple[MissedAppointment, ...],
        counted: tuple[MissedAppointment, ...],
        spans: Mapping[Guard, Sequence[BlockingSpan]],
        acceptance: Until | None,
        prospect: Until | None,
        pauses: tuple[Pausing, ...],
        appointments: Appointments,
        settlements: Settlements,
        decisions: Settlements,
        question: Question | None,
        decision_missing: Question | None,
        invitation_due: InvitationDue,
        invitation: Due | None,
        end_due: EndDue | None,
        end_question: Due | None,
        date_to_check: DateToCheck | None,
        date_question: Due | None,
        date_given: bool,
        review: Settlement | None,
        review_decision: ReviewDecision | None,
        last_contact: datetime,
        last_contact_fact: Fact,
        last_step: datetime,
        last_step_fact: Fact,
        last_report: Fact,
        last_attempt: datetime | None,
        first_event: datetime,
        first_event_fact: Fact,
        changes_at: tuple[datetime, ...],
    ) -> None:
        self.case_id = case_id
        self.now = now
        self.moment = moment
        self.order = order
        self.order_fact = order_fact
        self.order_known = order_known
        self.end = end
        self.stays = stays
        self.lodging_when_notified = lodging_when_notified
        self.residence = residence
        self.interviews = interviews
        self.own_interviews = own_interviews
        self.missed = missed
        self.counted = counted
        self.spans = spans
        self.acceptance = acceptance
        self.prospect = prospect
        self.pauses = pauses
        self.appointments = appointments
        self.settlements = settlements
        self.decisions = decisions
        self.question = question
        self.decision_missing = decision_missing
        self.invitation_due = invitation_due
        self.invitation = invitation
        self.end_due = end_due
        self.end_question = end_question
        self.date_to_check = date_to_check
        self.date_question = date_question
        self.date_given = date_given
        self.review = review
        self.review_decision = review_decision
        self.last_contact = last_contact
        self.last_contact_fact = last_contact_fact
        self.last_step = last_step
        self.last_step_fact = last_step_fact
        self.last_report = last_report
        self.last_attempt = last_attempt
        self.first_event = first_event
        self.first_event_fact = first_event_fact
        self.changes_at = changes_at

    @property
    def lodging(self) -> Lodging | None:
        """Where the person lives now; None without an order."""
        return None if self.order is None else self.stays[-1].lodging

    @property
    def handed_over(self) -> bool:
        """Whether an official handed the case to the Immigration Office."""
        return self.review_decision is ReviewDecision.HANDED_TO_IMMIGRATION_OFFICE

    def settlement(self, owner: AnswererRole, proposal_id: UUID) -> Settlement | None:
        """Return the answer that settles a proposal now, among those of roles that may."""
        answers = self.decisions if owner is AnswererRole.OFFICIAL else self.settlements
        answer = answers.get(proposal_id)
        return answer if answer is not None and answer.settles(self.now) else None


_NO_ANSWERS: Final[Settlements] = {}


class _Facts:
    """The facts of a case by type, in no particular order, and those reported first and last."""

    def __init__(self, case: Case, now: datetime) -> None:
        self.earliest = next(iter(case.facts.values()))
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
        for fact in case.facts.values():
            event, earliest = fact.event, self.earliest
            if fact.time <= earliest.time and (
                fact.time < earliest.time or fact.event_id < earliest.event_id
            ):
                self.earliest = fact
            latest: Fact | None = self.latest
            if fact.time > now:
                self.reported_later.append(fact.time)
            elif latest is None or (fact.time, fact.event_id) > (latest.time, latest.event_id):
                self.latest = fact
            if type(event) is OqtIssued:
                self.orders.append((fact, event))
            elif type(event) is AppointmentMissed:
                self.misses.append((fact, event))
            elif type(event) is InterviewCompleted:
                self.interviews.append(Interview(fact, event))
            elif type(event) is CircumstanceChanged:
                self.changes.append((fact, event))
            elif type(event) is AppointmentPlanned:
                self.planned.append((fact, event))
            elif type(event) is ProposalAnswered:
                self.answers.append((fact, event))
            elif type(event) is FollowUpEnded:
                self.ends.append((fact, event))
            else:
                assert_never(event)


def derive_situation(
    case: Case,
    terms: PolicyTerms,
    counting: Counting,
    rules: QuestionRules,
    calendar: Calendar,
    contact_language: Callable[[OqtIssued, str | None], Language],
    now: datetime,
) -> Situation | None:
    """Return the situation of a case at ``now``, or None if the case has no fact.

    The current order is the one notified last: a second order supersedes the first.
    ``contact_language`` gives the language in which the route of an order contacts a person with
    a residence postcode.
    """
    if not case.facts:
        return None
    facts = _Facts(case, now)
    moment = Moment(now, calendar)
    case_ends = ends(facts.ends, now) if facts.ends else NO_ENDS
    orders = order_versions.newest_versions(facts.orders, case.rank)
    current = order_versions.notified_last(orders.values(), now, case_ends.void)
    end = _end_in_effect(case_ends, orders, current)
    changes = [*case_ends.changes_at, *facts.reported_later]
    answers = decisions = _NO_ANSWERS
    if facts.answers:
        by_officials = [one for one in facts.answers if one[1].role is AnswererRole.OFFICIAL]
        decisions = settlements(by_officials, terms, calendar, now)
        answers = settlements(facts.answers, terms, calendar, now)
        changes += [answer.answered_at for _, answer in facts.answers]
        untils = [s.until for s in (*answers.values(), *decisions.values())]
        changes += [until for until in untils if until is not None]

    interviews: tuple[Interview, ...] = ()
    future_interviews: list[Interview] = []
    last: Interview | None = None
    if facts.interviews:
        interviews, future_interviews = _held(facts.interviews, now)
        last = interviews[-1] if interviews else None
    acceptance = prospect = None
    if last is not None:
        conclusion = last.event.conclusion
        if conclusion is Conclusion.VOLUNTARY_RETURN_ACCEPTED:
            days = terms.return_working_days
            acceptance = Until(last, calendar.after_working_days(last.event.held_at, days))
        elif conclusion is Conclusion.RESIDENCE_PROSPECT:
            days = terms.residence_prospect_working_days
            prospect = Until(last, calendar.after_working_days(last.event.held_at, days))
    changes += [one.until for one in (acceptance, prospect) if one is not None]

    spans: dict[Guard, Sequence[BlockingSpan]] = {}
    questions: list[Question] = []
    if facts.changes:
        for guard, of_guard in procedures(facts.changes, case.rank).items():
            found = []
            for procedure in of_guard:
                asked = ask(case.case_id, procedure, answers, counting, rules, calendar, now)
                if procedure.ends is not None:
                    changes.append(procedure.ends)
                if asked.question is not None:
                    questions.append(asked.question)
                ended_at = asked.ended_at
                if guard is Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED and ended_at is None:
                    ended_at = _reviewed_after(procedure.begins, procedure.ends, interviews)
                decided = guard in counting.decided
                found.append(blocking_span(procedure, decided=decided, ended_at=ended_at))
            spans[guard] = found
        changes += [question.due for question in questions]

    order = order_fact = None
    stays: tuple[Stay, ...] = ()
    notified_at = first_event = facts.earliest.time
    lodging_when_notified: Lodging | None = None
    residence: Residence | None = None
    if current is not None:
        order, order_fact = current.order, current.fact
        notified_at = order.notified_at
        known_stays = order_versions.stays(current)
        changes += [stay.since for stay in known_stays]
        stays = tuple([stay for stay in known_stays if stay.since <= now]) or known_stays[:1]
        lodging_when_notified = order_versions.lodging_at(stays, notified_at)
        residence = order_versions.residence(current, now)
        changes += order_versions.residence_changes(current)
    future_orders: list[datetime] = []
    if current is None or len(orders) > 1:
        future_orders = [o.order.notified_at for o in orders.values() if o.order.notified_at > now]
        changes += future_orders

    end_due: EndDue | None = None
    end_question: Due | None = None
    lifted_at: datetime | None = None
    if spans or case_ends is not NO_ENDS:
        end_due, end_question, lifted_at = _end_due(
            case.case_id, orders, current, case_ends, spans, counting.decided, decisions, rules, now
        )
    pauses: list[Pausing] = []
    if spans or acceptance or prospect or len(stays) > 1 or _detained(stays):
        pauses = _pauses(stays, spans, acceptance, prospect, counting, first_event)
    if end_question is not None:
        pauses.append(Pausing(END_DUE, end_question.since, lifted_at))
    if lifted_at is not None:
        end_due = end_question = None

    own = interviews
    attended: set[str | None] = set()
    if interviews:
        order_id = order.order_id if order is not None else None
        own = tuple([i for i in interviews if i.event.order_id == order_id])
        attended = {interview.event.appointment_id for interview in interviews}
    all_planned = planned(
        [(o.fact, o.order) for o in orders.values()],
        [(interview.fact, interview.event) for interview in interviews],
        facts.planned,
    )
    all_missed: list[MissedAppointment] = []
    future_misses: list[tuple[Fact, AppointmentMissed]] = []
    if current is not None and order is not None and facts.misses:
        for fact, miss in facts.misses:
            if miss.scheduled_at > now:
                future_misses.append((fact, miss))
            elif (
                miss.order_id == order.order_id
                and miss.scheduled_at >= order.notified_at
                and miss.appointment_id not in attended
                and _expected(miss, all_planned)
            ):
                understood = miss.invitation.language is order.language
                if not understood:
                    lived = order_versions.residence(current, miss.scheduled_at)
                    understood = miss.invitation.language is contact_language(order, lived.postcode)
                kind = _classify(miss, understood, pauses)
                all_missed.append(MissedAppointment(fact, miss, kind))
        if len(all_missed) > 1:
            all_missed.sort(key=lambda m: (m.event.scheduled_at, m.event.appointment_id))
    missed = all_missed
    if last is not None and counting.interview_restarts_count:
        restart = last.event.held_at
        missed = [miss for miss in all_missed if miss.event.scheduled_at > restart]
    counted = tuple([miss for miss in missed if miss.kind is MissKind.COUNTED])

    limit = now + timedelta(days=terms.appointment_days)
    known = NO_APPOINTMENTS
    if all_planned and order is not None:
        known = appointments(
            all_planned.values(),
            order.order_id,
            _reported(facts.misses, all_planned) | {a for a in attended if a},
            last.event.held_at if last is not None else None,
            now,
            limit,
        )
    if known.ahead is not None:
        changes.append(known.ahead.at)
    changes += [one.fact.time for one in known.known]
    for one in known.known:
        if order is not None and not one.takes_place:
            changes += [_cancelled_at(one, order), _step_at(one)]
    if known.too_far is not None:
        changes.append(known.too_far.at - timedelta(days=terms.appointment_days))
    date_to_check: DateToCheck | None = None
    date_question: Due | None = None
    if future_interviews or future_misses or known.too_far is not None:
        changes += [interview.event.held_at for interview in future_interviews]
        changes += [miss.scheduled_at for _, miss in future_misses]
        date_to_check, date_question = _date_to_check(future_interviews, future_misses, known)

    resumed: datetime | None = None
    if pauses:
        resumed = resumed_at(pauses, notified_at, now)
        changes += [at for pause in pauses for at in (pause.since, pause.until) if at is not None]
    invitation_due, invitation = InvitationDue.NONE, None
    may_be_due = resumed is not None or missed or known.cancelled is not None
    if may_be_due and order is not None and order_fact is not None:
        invitation_due, invitation = _invitation_due(
            order, order_fact, resumed, missed, interviews, known, now
        )
    review = _review(case.case_id, order, counted, own, decisions, rules)

    basis = order_fact if order_fact is not None else facts.earliest
    contact = (notified_at, basis)
    if last is not None and last.event.held_at >= notified_at:
        contact = (last.event.held_at, last.fact)
    step = _last_step(contact, all_missed, known, answers, facts.ends, resumed, basis, now, limit)
    last_attempt = own[-1].event.held_at if own else None
    if all_missed and (last_attempt is None or last_attempt < all_missed[-1].event.scheduled_at):
        last_attempt = all_missed[-1].event.scheduled_at
    if end is not None:
        changes = [*case_ends.changes_at, *future_orders]
    return Situation(
        case_id=case.case_id,
        now=now,
        moment=moment,
        order=order,
        order_fact=order_fact,
        order_known=bool(orders),
        end=end,
        stays=stays,
        lodging_when_notified=lodging_when_notified,
        residence=residence,
        interviews=interviews,
        own_interviews=own,
        missed=tuple(missed),
        counted=counted,
        spans=spans,
        acceptance=acceptance,
        prospect=prospect,
        pauses=tuple(pauses),
        appointments=known,
        settlements=answers,
        decisions=decisions,
        question=_due(questions, moment, QuestionKind.AGED, QuestionKind.CONTRADICTORY),
        decision_missing=_due(questions, moment, QuestionKind.DECISION),
        invitation_due=invitation_due,
        invitation=invitation,
        end_due=end_due,
        end_question=end_question,
        date_to_check=date_to_check,
        date_question=date_question,
        date_given=answers is not _NO_ANSWERS and _date_given(case.case_id, order, answers, rules),
        review=review,
        review_decision=review.event.decision if review is not None else None,
        last_contact=contact[0],
        last_contact_fact=contact[1],
        last_step=step[0],
        last_step_fact=step[1],
        last_report=facts.latest if facts.latest is not None else facts.earliest,
        last_attempt=last_attempt,
        first_event=first_event,
        first_event_fact=facts.earliest,
        changes_at=tuple(changes),
    )


def _detained(stays: Sequence[Stay]) -> bool:
    return bool(stays) and stays[-1].lodging is Lodging.DETAINED


def _due(questions: Sequence[Question], now: Moment, *kinds: QuestionKind) -> Question | None:
    if not questions:
        return None
    question = first(questions, *kinds)
    return None if question is None or now.is_before(question.due) else question


def _held(
    all_interviews: list[Interview], now: datetime
) -> tuple[tuple[Interview, ...], list[Interview]]:
    """Return the interviews held up to ``now`` in order, and those dated later."""
    held = [interview for interview in all_interviews if interview.event.held_at <= now]
    future = [interview for interview in all_interviews if interview.event.held_at > now]
    held.sort(key=lambda interview: (interview.event.held_at, interview.event.interview_id))
    return tuple(held), future


def _end_in_effect(
    case_ends: Ends,
    orders: Mapping[str, OrderVersions],
    current: OrderVersions | None,
) -> End | None:
    if case_ends is NO_ENDS:
        return None
    whole = case_ends.case
    if whole is not None and (current is None or current.order.notified_at <= whole.effective_at):
        return whole
    if current is not None:
        order = current.order
        own = case_ends.by_order.get(order.order_id)
        return own or about_person(case_ends, orders, order.order_id, order.notified_at)
    void = [o for o in orders.values() if o.order.order_id in case_ends.void]
    if void and len(void) == len(orders):
        last = max(void, key=lambda o: (o.order.notified_at, o.order.order_id))
        return case_ends.by_order[last.order.order_id]
    return None


def _reviewed_after(
    begins: datetime | None, ends_at: datetime | None, interviews: Sequence[Interview]
) -> datetime | None:
    if begins is None or ends_at is not None:
        return None
    for interview in interviews:
        if interview.event.vulnerability_reviewed and interview.event.held_at >= begins:
            return interview.event.held_at
    return None


def _end_due(
    case_id: str,
    orders: Mapping[str, OrderVersions],
    current: OrderVersions | None,
    case_ends: Ends,
    spans: Mapping[Guard, Sequence[BlockingSpan]],
    decided: Collection[Guard],
    decisions: Settlements,
    rules: QuestionRules,
    now: datetime,
) -> tuple[EndDue | None, Due | None, datetime | None]:
    """Return what should end the follow-up, the question, and when an answer lifted it."""
    if current is None:
        return None, None, None
    code: EndDue | None = None
    due: Due | None = None
    for guard, of_guard in spans.items():
        for span in of_guard:
            procedure = span.procedure
            if (
                procedure.outcome is CircumstanceOutcome.GRANTED
                and guard in decided
                and procedure.ends is not None
                and current.order.notified_at <= procedure.ends <= now
                and (due is None or procedure.ends > due.since)
            ):
                occasion = f"end/granted/{guard}/{procedure.reference}"
                code, due = EndDue.GRANTED, Due(procedure.ends, procedure.facts, occasion)
    for order_id, end in sorted(case_ends.by_order.items()):
        void = orders.get(order_id) if order_id in case_ends.void else None
        later = void is not None and void.order.notified_at > current.order.notified_at
        if later and (due is None or end.effective_at > due.since):
            occasion = f"end/order_void/{order_id}"
            code, due = EndDue.ORDER_VOID, Due(end.effective_at, (end.fact,), occasion)
    if due is None or rules.end is None:
        return code, due, None
    answer = decisions.get(escalation_id(case_id, rules.end, due.occasion))
    if answer is not None and answer.until is None and answer.says_not_applicable:
        return code, due, answer.event.answered_at
    return code, due, None


def _pauses(
    stays: Sequence[Stay],
    spans: Mapping[Guard, Sequence[BlockingSpan]],
    acceptance: Until | None,
    prospect: Until | None,
    counting: Counting,
    first_event: datetime,
) -> list[Pausing]:
    """Return the periods in which a miss does not count, in no particular order."""
    return [
        *detentions(stays),
        *guard_pauses(spans, acceptance, prospect, first_event, counting.pausing.__contains__),
    ]


def detentions(stays: Sequence[Stay]) -> list[Pausing]:
    """Return the stays in detention as pauses."""
    return [
        Pausing(DETAINED, stay.since, stay.until)
        for stay in stays
        if stay.lodging is Lodging.DETAINED
    ]


def guard_pauses(
    spans: Mapping[Guard, Sequence[BlockingSpan]],
    acceptance: Until | None,
    prospect: Until | None,
    first_event: datetime,
    pauses: Callable[[Guard], bool],
) -> list[Pausing]:
    """Return the periods in which guards block, of those guards that pause."""
    found: list[Pausing] = []
    for guard, of_guard in spans.items():
        if pauses(guard):
            found += [
                Pausing(guard.value, span.pauses_since(first_event), span.until)
                for span in of_guard
            ]
    for guard, until in (
        (Guard.VOLUNTARY_RETURN_IN_PROGRESS, acceptance),
        (Guard.NEW_RESIDENCE_PROCEDURE, prospect),
    ):
        if until is not None and pauses(guard):
            found.append(Pausing(guard.value, until.interview.event.held_at, until.until))
    return found


def _classify(event: AppointmentMissed, understood: bool, pauses: Iterable[Pausing]) -> MissKind:
    if event.review is Review.ACCEPTED:
        return MissKind.JUSTIFIED
    if any(pause.covers(event.scheduled_at) for pause in pauses):
        return MissKind.IN_PAUSE
    if event.invitation.delivery is not Delivery.PROVEN:
        return MissKind.UNDELIVERED
    if not understood:
        return MissKind.WRONG_LANGUAGE
    if event.review is Review.REJECTED:
        return MissKind.COUNTED
    if event.justification is Justification.UNKNOWN and event.review is Review.NONE:
        return MissKind.NOT_ASKED
    if event.review is Review.PENDING or event.justification is not Justification.NONE:
        return MissKind.PENDING
    return MissKind.COUNTED


def _expected(miss: AppointmentMissed, known: Mapping[str, PlannedAppointment]) -> bool:
    one = known.get(miss.appointment_id)
    return one is None or one.expects(miss.scheduled_at)


def _reported(
    misses: Sequence[tuple[Fact, AppointmentMissed]], known: Mapping[str, PlannedAppointment]
) -> set[str]:
    """Return the references of the appointments whose outcome a miss reported."""
    found = set()
    for _, miss in misses:
        one = known.get(miss.appointment_id)
        if one is None or one.reported_by(miss.scheduled_at):
            found.add(miss.appointment_id)
    return found


def _date_to_check(
    interviews: Sequence[Interview],
    misses: Sequence[tuple[Fact, AppointmentMissed]],
    known: Appointments,
) -> tuple[DateToCheck | None, Due | None]:
    found = [
        (DateToCheck.INTERVIEW_IN_FUTURE, interview.event.interview_id, interview.fact)
        for interview in interviews
    ]
    found += [(DateToCheck.MISS_IN_FUTURE, miss.appointment_id, fact) for fact, miss in misses]
    if known.too_far is not None:
        too_far = known.too_far
        found.append((DateToCheck.APPOINTMENT_TOO_FAR, too_far.appointment_id, too_far.fact))
    if not found:
        return None, None
    code, name, fact = min(found, key=lambda one: (one[2].time, one[2].event_id))
    return code, Due(fact.time, (fact,), f"date/{code}/{name}")


_ABSENCES = {
    MissKind.JUSTIFIED: InvitationDue.JUSTIFIED,
    MissKind.PENDING: InvitationDue.PENDING,
    MissKind.NOT_ASKED: InvitationDue.NOT_ASKED,
}
_CANCELLED = {
    AppointmentState.CANCELLED_BY_OFFICE: InvitationDue.CANCELLED_BY_OFFICE,
    AppointmentState.CANCELLED_BY_PERSON: InvitationDue.CANCELLED_BY_PERSON,
}


def _invitation_due(
    order: OqtIssued,
    order_fact: Fact,
    resumed: datetime | None,
    missed: Sequence[MissedAppointment],
    interviews: Sequence[Interview],
    known: Appointments,
    now: datetime,
) -> tuple[InvitationDue, Due | None]:
    """Return why a new invitation is due after the last thing that happened, if one is."""
    found: list[tuple[datetime, InvitationDue, Fact, str]] = []
    if resumed is not None:
        found.append((resumed, InvitationDue.RESUMED, order_fact, resumed.isoformat()))
    if missed and missed[-1].kind in _ABSENCES:
        last = missed[-1]
        name = last.event.appointment_id
        found.append((last.event.scheduled_at, _ABSENCES[last.kind], last.fact, name))
    if known.cancelled is not None:
        one = known.cancelled
        at = _cancelled_at(one, order)
        if at <= now:
            found.append((at, _CANCELLED[one.state], one.fact, one.appointment_id))
    if not found:
        return InvitationDue.NONE, None
    since, code, fact, name = max(found, key=lambda one: (one[0], one[1]))
    later = [miss for miss in missed if miss.event.scheduled_at > since]
    held = interviews and interviews[-1].event.held_at >= since
    takes_place = [one for one in known.known if one.takes_place and one.at > since]
    if later or held or (takes_place and known.too_far is None):
        return InvitationDue.NONE, None
    facts = (order_fact,) if fact is order_fact else (order_fact, fact)
    return code, Due(since, facts, f"{order.order_id}/invite/{code}/{name}")


def _cancelled_at(one: PlannedAppointment, order: OqtIssued) -> datetime:
    return min(one.at, max(one.fact.time, order.notified_at))


def _review(
    case_id: str,
    order: OqtIssued | None,
    counted: Sequence[MissedAppointment],
    own: Sequence[Interview],
    decisions: Settlements,
    rules: QuestionRules,
) -> Settlement | None:
    """Return the newest final answer with a decision to a review of the present occasion."""
    if order is None or all(s.event.decision is None for s in decisions.values()):
        return None
    found = []
    for review in rules.reviews:
        if review.nth and len(counted) >= review.nth:
            occasion = miss_occasion(order, counted[review.nth - 1])
        elif not review.nth and own:
            occasion = interview_occasion(order, own[-1])
        else:
            continue
        answer = decisions.get(escalation_id(case_id, review.rule_id, occasion))
        if answer is not None and answer.event.decision is not None:
            found.append(answer)
    return max(
        found, key=lambda s: (s.event.answered_at, s.fact.time, s.fact.event_id), default=None
    )


def _date_given(
    case_id: str, order: OqtIssued | None, answers: Settlements, rules: QuestionRules
) -> bool:
    if order is None or rules.first_date is None:
        return False
    name = escalation_id(case_id, rules.first_date, f"{order.order_id}/order")
    answer = answers.get(name)
    return answer is not None and answer.event.answer is Answer.DONE


def miss_occasion(order: OqtIssued, miss: MissedAppointment) -> str:
    """Return the occasion of an escalation about a missed appointment."""
    return f"{order.order_id}/miss/{miss.event.appointment_id}"


def interview_occasion(order: OqtIssued, interview: Interview) -> str:
    """Return the occasion of an escalation about an interview."""
    return f"{order.order_id}/interview/{interview.event.interview_id}"


def _last_step(
    contact: tuple[datetime, Fact],
    missed: Sequence[MissedAppointment],
    known: Appointments,
    answers: Settlements,
    reported_ends: Sequence[tuple[Fact, FollowUpEnded]],
    resumed: datetime | None,
    basis: Fact,
    now: datetime,
    limit: datetime,
) -> tuple[datetime, Fact]:
    """Return the latest step and its fact; in a tie, the fact with the greater event id."""
    steps = [contact]
    if not (missed or known.known or answers or reported_ends or resumed):
        return contact
    steps += [(miss.event.scheduled_at, miss.fact) for miss in missed]
    steps += [
        (_step_at(one), one.fact)
        for one in known.known
        if _step_at(one) <= (limit if one.takes_place else now)
    ]
    steps += [(answer.event.answered_at, answer.fact) for answer in answers.values()]
    steps += [(end.effective_at, fact) for fact, end in reported_ends if end.effective_at <= now]
    if resumed is not None:
        steps.append((resumed, basis))
    if len(steps) == 1:
        return contact
    return max(steps, key=lambda step: (step[0], step[1].event_id))


def _step_at(one: PlannedAppointment) -> datetime:
    return one.at if one.takes_place else min(one.at, one.fact.time)
