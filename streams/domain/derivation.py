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

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from schemas.codes import Guard, Language
from schemas.events import (
    Answer,
    AppointmentMissed,
    CircumstanceOutcome,
    Conclusion,
    Delivery,
    FollowUpEnded,
    Justification,
    Lodging,
    OqtIssued,
    Review,
)
from streams.domain import orders as order_versions
from streams.domain.answers import Settlement, Settlements
from streams.domain.appointments import NO_APPOINTMENTS, Appointments
from streams.domain.case import Case, Fact
from streams.domain.clocks import Calendar, Moment, duration
from streams.domain.endings import NO_ENDS, End, Ends, about_person, ends
from streams.domain.identity import escalation_id
from streams.domain.invitations import invitation_due
from streams.domain.orders import OrderVersions, Residence, Residences, Stay
from streams.domain.pauses import DETAINED, END_DUE, Paused, Pausing, resumed_at
from streams.domain.procedures import BlockingSpan
from streams.domain.questions import Question, QuestionKind, first
from streams.domain.situation import (
    DateToCheck,
    Due,
    EndDue,
    InvitationDue,
    MissedAppointment,
    MissKind,
    Situation,
    Until,
)
from streams.domain.stages import (
    STAGES,
    Answers,
    Attempt,
    CaseFacts,
    Interview,
    Stages,
    Step,
    by_time,
    facts_of,
)
from streams.domain.terms import Counting, PolicyTerms, QuestionRules

ContactLanguage: TypeAlias = Callable[[OqtIssued, str | None], Language]
_NO_ANSWERS: Final = Answers({}, {}, ())


def derive_situation(
    case: Case,
    terms: PolicyTerms,
    counting: Counting,
    rules: QuestionRules,
    calendar: Calendar,
    contact_language: ContactLanguage,
    now: datetime,
) -> Situation | None:
    """Return the situation of a case at ``now``, or None if the case has no fact.

    The current order is the one notified last: a second order supersedes the first.
    ``contact_language`` gives the language in which the route of an order contacts a person with
    a residence postcode.
    """
    if not case.facts:
        return None
    facts = facts_of(case, now)
    return situation_of(facts, terms, counting, rules, calendar, contact_language, STAGES)


def situation_of(
    facts: CaseFacts,
    terms: PolicyTerms,
    counting: Counting,
    rules: QuestionRules,
    calendar: Calendar,
    contact_language: ContactLanguage,
    stages: Stages,
) -> Situation:
    """Return the situation that facts amount to at their instant."""
    case_id, now = facts.case.case_id, facts.now
    moment = calendar.moment(now)
    case_ends = ends(facts.ends, now) if facts.ends else NO_ENDS
    orders = stages.orders(facts)
    current = order_versions.notified_last(orders.values(), now, case_ends.void)
    end = _end_in_effect(case_ends, orders, current)
    changes = [*case_ends.changes_at, *facts.reported_later]
    answers = stages.answers(facts, terms, calendar) if facts.answers else _NO_ANSWERS
    changes += stages.later("answers", answers.changes_at, now)

    interviews: tuple[Interview, ...] = ()
    future_interviews: list[Interview] = []
    last: Interview | None = None
    if facts.interviews:
        interviews, future_interviews = stages.interviews(facts)
        last = interviews[-1] if interviews else None
    acceptance, prospect = _opened_by(last, terms, calendar)
    changes += [one.until for one in (acceptance, prospect) if one is not None]

    first_event = facts.earliest.time
    spans: dict[Guard, Sequence[BlockingSpan]] = {}
    pausings: dict[Guard, Sequence[Pausing]] = {}
    questions: list[Question] = []
    if facts.changes:
        for guard, of_guard in stages.procedures(facts).items():
            found = stages.spans(
                guard, of_guard, answers.every, interviews, facts, counting, rules, calendar
            )
            spans[guard] = found.spans
            pausings[guard] = stages.pausings(guard, found.spans, first_event)
            questions += found.questions
            changes += stages.later(guard, found.changes_at, now)

    order = order_fact = None
    stays: tuple[Stay, ...] = ()
    notified_at = first_event
    lodging_when_notified: Lodging | None = None
    residences: Residences | None = None
    residence: Residence | None = None
    if current is not None:
        order, order_fact = current.order, current.fact
        notified_at = order.notified_at
        known_stays, residences = stages.order(current)
        changes += [stay.since for stay in known_stays]
        stays = tuple([stay for stay in known_stays if stay.since <= now]) or known_stays[:1]
        lodging_when_notified = order_versions.lodging_at(stays, notified_at)
        residence = residences.at(now)
        changes += residences.changes_at
    future_orders: list[datetime] = []
    if current is None or len(orders) > 1:
        future_orders = [o.order.notified_at for o in orders.values() if o.order.notified_at > now]
        changes += future_orders

    end_due: EndDue | None = None
    end_question: Due | None = None
    lifted_at: datetime | None = None
    if spans or case_ends is not NO_ENDS:
        end_due, end_question, lifted_at = _end_due(
            case_id, orders, current, case_ends, spans, counting.decided, answers, rules, now
        )
    pauses: list[Pausing] = []
    if spans or acceptance or prospect or len(stays) > 1 or _detained(stays):
        pauses = detentions(stays)
        pauses += guard_pauses(pausings, acceptance, prospect, counting.pausing.__contains__)
    if end_question is not None:
        pauses.append(Pausing(END_DUE, end_question.since, lifted_at))
    if lifted_at is not None:
        end_due = end_question = None

    own = _under(order, interviews)
    all_planned = stages.planned(facts, orders, interviews)
    attempts: list[Attempt] = []
    future_misses: list[Attempt] = []
    missed: list[MissedAppointment] = []
    if order is not None and residences is not None and facts.misses:
        attempts, future_misses = stages.attempts(facts, order, interviews, all_planned)
        restarts = last is not None and counting.interview_restarts_count
        restart = last.event.held_at if last is not None and restarts else None
        missed = _missed(attempts, restart, order, residences, contact_language, pauses)
    counted = tuple([miss for miss in missed if miss.kind is MissKind.COUNTED])

    limit = now + duration(terms.appointment_days)
    known = NO_APPOINTMENTS
    if all_planned and order is not None:
        known = stages.appointments(facts, order, interviews, all_planned, limit)
    if known.ahead is not None:
        changes.append(known.ahead.at)
    if known.known and order is not None:
        changes_at = stages.appointments_change_at(known.known, order)
        changes += stages.later("appointments", changes_at, now)
    if known.too_far is not None:
        changes.append(known.too_far.at - duration(terms.appointment_days))
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
    due_for, invitation = InvitationDue.NONE, None
    may_be_due = resumed is not None or missed or known.cancelled is not None
    if may_be_due and order is not None and order_fact is not None:
        due_for, invitation = invitation_due(
            order, order_fact, resumed, missed, interviews, known, now
        )
    review = _review(case_id, order, counted, own, answers.decisions, rules)

    basis = order_fact if order_fact is not None else facts.earliest
    contact = (notified_at, basis)
    if last is not None and last.event.held_at >= notified_at:
        contact = (last.event.held_at, last.fact)
    step = contact
    if attempts or known.known or answers.every or facts.ends or resumed:
        steps = stages.steps(attempts, known.known, answers.every, now, limit)
        step = _last_step(contact, steps, facts.ends, resumed, basis, now)
    if end is not None:
        changes = [*case_ends.changes_at, *future_orders]
    return Situation(  # by position: by name it costs twice as much
        case_id,
        now,
        moment,
        order,
        order_fact,
        bool(orders),
        end,
        stays,
        lodging_when_notified,
        residence,
        interviews,
        own,
        tuple(missed),
        counted,
        spans,
        pausings,
        acceptance,
        prospect,
        tuple(pauses),
        resumed,
        known,
        answers.every,
        answers.decisions,
        questions,
        _due(questions, moment, QuestionKind.AGED, QuestionKind.CONTRADICTORY),
        _due(questions, moment, QuestionKind.DECISION),
        due_for,
        invitation,
        end_due,
        end_question,
        date_to_check,
        date_question,
        bool(answers.every) and _date_given(case_id, order, answers.every, rules),
        review,
        review.event.decision if review is not None else None,
        contact[0],
        contact[1],
        step[0],
        step[1],
        facts.latest if facts.latest is not None else facts.earliest,
        _last_attempt(own, attempts),
        first_event,
        facts.earliest,
        tuple(changes),
    )


def _opened_by(
    last: Interview | None, terms: PolicyTerms, calendar: Calendar
) -> tuple[Until | None, Until | None]:
    """Return until when the last interview gives time to return, or to ask for residence."""
    if last is None:
        return None, None
    conclusion = last.event.conclusion
    if conclusion is Conclusion.VOLUNTARY_RETURN_ACCEPTED:
        days = terms.return_working_days
        return Until(last, calendar.after_working_days(last.event.held_at, days)), None
    if conclusion is Conclusion.RESIDENCE_PROSPECT:
        days = terms.residence_prospect_working_days
        return None, Until(last, calendar.after_working_days(last.event.held_at, days))
    return None, None


def _under(order: OqtIssued | None, interviews: tuple[Interview, ...]) -> tuple[Interview, ...]:
    """Return the interviews under an order."""
    if not interviews:
        return interviews
    order_id = order.order_id if order is not None else None
    return tuple([one for one in interviews if one.event.order_id == order_id])


def _missed(
    attempts: Sequence[Attempt],
    restart: datetime | None,
    order: OqtIssued,
    residences: Residences,
    contact_language: ContactLanguage,
    pauses: Sequence[Pausing],
) -> list[MissedAppointment]:
    """Return the missed appointments after ``restart``, each with its kind."""
    found: list[MissedAppointment] = []
    paused = Paused(pauses)
    for fact, miss in attempts:
        if restart is not None and miss.scheduled_at <= restart:
            continue
        understood = miss.invitation.language is order.language
        if not understood:
            lived = residences.at(miss.scheduled_at)
            understood = miss.invitation.language is contact_language(order, lived.postcode)
        kind = _classify(miss, understood, paused)
        found.append(MissedAppointment(fact, miss, kind))
    return found


def _last_attempt(own: Sequence[Interview], attempts: Sequence[Attempt]) -> datetime | None:
    """Return when the person was last seen, or was to be seen, under the current order."""
    held = own[-1].event.held_at if own else None
    if attempts and (held is None or held < attempts[-1][1].scheduled_at):
        return attempts[-1][1].scheduled_at
    return held


def _detained(stays: Sequence[Stay]) -> bool:
    return bool(stays) and stays[-1].lodging is Lodging.DETAINED


def _due(questions: Sequence[Question], now: Moment, *kinds: QuestionKind) -> Question | None:
    if not questions:
        return None
    question = first(questions, *kinds)
    return None if question is None or now.is_before(question.due) else question


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


def _end_due(
    case_id: str,
    orders: Mapping[str, OrderVersions],
    current: OrderVersions | None,
    case_ends: Ends,
    spans: Mapping[Guard, Sequence[BlockingSpan]],
    decided: Collection[Guard],
    answers: Answers,
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
    answer = answers.decisions.get(escalation_id(case_id, rules.end, due.occasion))
    if answer is not None and answer.until is None and answer.says_not_applicable:
        return code, due, answer.event.answered_at
    return code, due, None


def detentions(stays: Sequence[Stay]) -> list[Pausing]:
    """Return the stays in detention as pauses."""
    return [
        Pausing(DETAINED, stay.since, stay.until)
        for stay in stays
        if stay.lodging is Lodging.DETAINED
    ]


def guard_pauses(
    pausings: Mapping[Guard, Sequence[Pausing]],
    acceptance: Until | None,
    prospect: Until | None,
    pauses: Callable[[Guard], bool],
) -> list[Pausing]:
    """Return the periods in which guards block, of those guards that pause."""
    found: list[Pausing] = []
    for guard, of_guard in pausings.items():
        if pauses(guard):
            found += of_guard
    for guard, until in (
        (Guard.VOLUNTARY_RETURN_IN_PROGRESS, acceptance),
        (Guard.NEW_RESIDENCE_PROCEDURE, prospect),
    ):
        if until is not None and pauses(guard):
            found.append(Pausing(guard.value, until.interview.event.held_at, until.until))
    return found


def _classify(event: AppointmentMissed, understood: bool, paused: Paused) -> MissKind:
    if event.review is Review.ACCEPTED:
        return MissKind.JUSTIFIED
    if paused.covers(event.scheduled_at):
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


def _review(
    case_id: str,
    order: OqtIssued | None,
    counted: Sequence[MissedAppointment],
    own: Sequence[Interview],
    decisions: Settlements,
    rules: QuestionRules,
) -> Settlement | None:
    """Return the newest final answer with a decision to a review of the present occasion."""
    if order is None or not decisions:
        return None
    if all(answer.event.decision is None for answer in decisions.values()):
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
    contact: Step,
    steps: Sequence[Step],
    reported_ends: Sequence[tuple[Fact, FollowUpEnded]],
    resumed: datetime | None,
    basis: Fact,
    now: datetime,
) -> Step:
    """Return the latest step and its fact; in a tie, the fact with the greater event id."""
    found = [contact, *steps]
    found += [(end.effective_at, fact) for fact, end in reported_ends if end.effective_at <= now]
    if resumed is not None:
        found.append((resumed, basis))
    return contact if len(found) == 1 else max(found, key=by_time)
