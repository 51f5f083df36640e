"""Draw how an office reacts to a proposal: when, with what answer, and what it does.

An office answers for the occasion that it was asked about. It plans appointments, reports what it
left unreported, corrects facts, and records the end of a follow-up.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, assert_never

from schemas.codes import Guard
from schemas.events import (
    Answer,
    AnswerReason,
    Appointment,
    AppointmentPlanned,
    AppointmentState,
    CircumstanceChanged,
    CircumstanceOutcome,
    CircumstanceState,
    EndReason,
    Lodging,
    ProposalAnswered,
    ReviewDecision,
)
from schemas.outcomes import Action, EscalationRaised, Track
from streams.simulate import days, ends, orders, trajectory
from streams.simulate.circumstances import draw_caused
from streams.simulate.event import (
    ANSWERS,
    APPOINTMENTS,
    ENDS,
    ORDERS,
    SimulatedEvent,
    World,
    emit,
)
from streams.simulate.figures import Ending
from streams.simulate.history import still_valid
from streams.simulate.orders import ServedOrder
from streams.simulate.year.file import CaseFile

_OFFICE_HOURS: Final = (9 * 60, 16 * 60 + 45)
_SOON: Final = timedelta(days=7)
"""An office that will plan by itself within this time does not plan twice."""

_ALWAYS_DONE: Final = frozenset(
    {Action.RECORD_END, Action.REPORT_OUTCOME, Action.REPORT_DECISION, Action.HUMAN_REVIEW}
)
_WITH_ADDRESS: Final = (Lodging.RECEPTION, Lodging.RETURN_HOUSE, Lodging.OPEN_RETURN_PLACE)


class Reaction(NamedTuple):
    """Events that an office reports, and when it does what it took up; None if there is nothing."""

    events: tuple[SimulatedEvent, ...] = ()
    done_at: datetime | None = None


def reacts_at(file: CaseFile, raised: EscalationRaised, now: datetime) -> datetime | None:
    """Return when the office answers a proposal; None if it overlooks it until the reminder."""
    figures = file.world.figures.answering
    if file.world.dice.chance(figures.overlooked):
        return None
    return _in_working_days(
        file.world, now, file.world.dice.one(figures.delay[raised.addressed_to])
    )


def react(file: CaseFile, raised: EscalationRaised, now: datetime) -> Reaction:
    """Draw the first answer to a proposal that stands."""
    world, figures = file.world, file.world.figures.answering
    answer = Answer.DONE if raised.action in _ALWAYS_DONE else world.dice.one(figures.answer)
    match answer:
        case Answer.DONE:
            return do(file, raised, now)
        case Answer.TAKEN_UP:
            low, high = figures.done_working_days
            said = _answered(world, raised, now, answer, AnswerReason.FILE_REVIEWED)
            return Reaction((said,), _in_working_days(world, now, world.dice.whole(low, high)))
        case Answer.POSTPONED:
            low, high = figures.postponed_days
            until = now + timedelta(days=world.dice.whole(low, high))
            reason = AnswerReason.AWAITING_DOCUMENTS
            return Reaction((_answered(world, raised, now, answer, reason, postponed_until=until),))
        case Answer.NOT_APPLICABLE:
            reason = AnswerReason.ALREADY_HANDLED
            return Reaction((_answered(world, raised, now, answer, reason),))
        case _:
            assert_never(answer)


def do(file: CaseFile, raised: EscalationRaised, now: datetime) -> Reaction:
    """Draw what an office does about a proposal, and its answer ``done``."""
    match raised.action:
        case (
            Action.GIVE_DATE
            | Action.REINVITE
            | Action.CHECK_DELIVERY
            | Action.OUTREACH
            | Action.CONTACT_REVIEW
        ):
            return _invite(file, raised, now)
        case Action.HUMAN_REVIEW:
            return _review(file, raised, now)
        case Action.REPORT_OUTCOME:
            return _report_outcome(file, raised, now)
        case Action.REPORT_DECISION:
            return _report_decision(file, raised, now)
        case Action.CONFIRM_CIRCUMSTANCE:
            return _confirm(file, raised, now)
        case Action.RECORD_END:
            return _record_end(file, raised, now)
        case Action.PROVE_NOTIFICATION:
            return _prove(file, raised, now)
        case Action.CHECK_DATES:
            return _check_date(file, raised, now)
        case Action.REFER_RETURN | Action.ADDRESS_CHECK_REFERRAL:
            reason = AnswerReason.REFERRED
        case Action.FOLLOW_DEPARTURE | Action.SUPPORT_APPLICATION | Action.INFORM_GUARDIANSHIP:
            reason = AnswerReason.PERSON_CONTACTED
        case (
            Action.FIND_ORDER
            | Action.CHECK_DETENTION
            | Action.CHECK_ORDER
            | Action.LESS_COERCIVE_MEASURE_REFERRAL
        ):
            reason = AnswerReason.FILE_REVIEWED
        case _:
            assert_never(raised.action)
    return _done(file, raised, now, reason)


def _invite(file: CaseFile, raised: EscalationRaised, now: datetime) -> Reaction:
    """Plan an appointment, or find that the person can't be reached and perhaps record the end."""
    world, figures = file.world, file.world.figures.answering
    served = file.served(raised.order_id)
    if served is None:
        return _done(file, raised, now, AnswerReason.FILE_REVIEWED)
    if file.counselling_ahead(now + _SOON):
        return _done(file, raised, now, AnswerReason.PERSON_INVITED)
    share = figures.invited[raised.action]
    if not _has_address(file, served):
        share = min(share, figures.without_address)
    if world.dice.chance(share):
        invited = _plan(file, served, raised, now)
        return _done(file, raised, now, AnswerReason.PERSON_INVITED, *invited)
    if world.dice.chance(figures.gives_up.get(raised.action, 0.0)):
        reason = world.dice.one(world.figures.ends.after[Ending.OUT_OF_CONTACT])
        ended = _end(file, served, reason, now)
        return _done(file, raised, now, AnswerReason.PERSON_NOT_REACHED, ended)
    return _done(file, raised, now, AnswerReason.PERSON_NOT_REACHED)


def _review(file: CaseFile, raised: EscalationRaised, now: datetime) -> Reaction:
    world, figures = file.world, file.world.figures.answering
    decision = world.dice.one(figures.decision)
    said = _answered(world, raised, now, Answer.DONE, AnswerReason.FILE_REVIEWED, decision=decision)
    served = file.served(raised.order_id)
    invites = decision is ReviewDecision.CONTINUE_FOLLOW_UP and world.dice.chance(
        figures.invited[Action.HUMAN_REVIEW]
    )
    if invites and served is not None and not file.counselling_ahead(now + _SOON):
        return Reaction((said, *_plan(file, served, raised, now)))
    return Reaction((said,))


def _report_outcome(file: CaseFile, raised: EscalationRaised, now: datetime) -> Reaction:
    """Report what was left unreported; an appointment that lapsed is cancelled by the office."""
    name = raised.occasion.rpartition("/")[2]
    report = file.unreported.pop(name, None)
    if report is not None:
        late = emit(file.world, report.source, report.event, now)
        return _done(file, raised, now, AnswerReason.FILE_REVIEWED, late)
    plan = file.case.facts.get(f"appointment:{name}")
    if plan is None or not isinstance(plan.event, AppointmentPlanned):
        return _done(file, raised, now, AnswerReason.ALREADY_HANDLED)
    state = AppointmentState.CANCELLED_BY_OFFICE
    lapsed = replace(plan.event, state=state)
    cancelled = emit(file.world, APPOINTMENTS, lapsed, now)
    return _done(file, raised, now, AnswerReason.FACT_TO_CORRECT, cancelled)


def _report_decision(file: CaseFile, raised: EscalationRaised, now: datetime) -> Reaction:
    _, guard, reference = raised.occasion.split("/")
    key = f"circumstance:{guard}:{reference}:{CircumstanceState.ENDS}"
    fact = file.case.facts.get(key)
    if fact is None or not isinstance(fact.event, CircumstanceChanged):
        return _done(file, raised, now, AnswerReason.ALREADY_HANDLED)
    corrected = replace(fact.event, outcome=_decided(file.world, Guard(guard)))
    report = emit(file.world, _feed(file, Guard(guard)), corrected, now)
    return _done(file, raised, now, AnswerReason.FILE_REVIEWED, report)


def _feed(file: CaseFile, guard: Guard) -> str:
    """Return the feed that reports a circumstance."""
    return next(one.feed for one in file.world.figures.circumstances if one.guard is guard)


def _decided(world: World, guard: Guard) -> CircumstanceOutcome:
    """Return an outcome that is known, by the shares of the figures."""
    figures = next(one for one in world.figures.circumstances if one.guard is guard)
    while figures.outcome is not None:
        outcome = world.dice.one(figures.outcome)
        if outcome is not None and outcome is not CircumstanceOutcome.UNKNOWN:
            return outcome
    return CircumstanceOutcome.LAPSED


def _confirm(file: CaseFile, raised: EscalationRaised, now: datetime) -> Reaction:
    """Say whether a circumstance still holds: always if its end is yet to be reported."""
    reference = raised.occasion.split("/")[2]
    will_end = any(
        isinstance(one.event, CircumstanceChanged) and one.event.reference == reference
        for one in file.coming.values()
    )
    holds = will_end or file.world.dice.chance(file.world.figures.answering.still_holds)
    reason = AnswerReason.STILL_HOLDS if holds else AnswerReason.NO_LONGER_HOLDS
    return _done(file, raised, now, reason)


def _record_end(file: CaseFile, raised: EscalationRaised, now: datetime) -> Reaction:
    """Record the end after a procedure was granted or an order became void."""
    served = file.served(raised.order_id)
    if served is None:
        return _done(file, raised, now, AnswerReason.FILE_REVIEWED)
    kind, cause = raised.occasion.split("/")[1:3]
    reason = ends.GRANTED[Guard(cause)] if kind == "granted" else EndReason.ORDER_WITHDRAWN
    ended = _end(file, served, reason, now)
    return _done(file, raised, now, AnswerReason.FILE_REVIEWED, ended)


def _prove(file: CaseFile, raised: EscalationRaised, now: datetime) -> Reaction:
    order = file.newest(raised.order_id)
    found = file.world.dice.chance(file.world.figures.answering.proof_found)
    if order is None or not found:
        return _done(file, raised, now, AnswerReason.FILE_REVIEWED)
    file.proven.add(order.order_id)
    proven = replace(order.notification, proven=True)
    corrected = emit(file.world, ORDERS, replace(order, notification=proven), now)
    return _done(file, raised, now, AnswerReason.FACT_TO_CORRECT, corrected)


def _check_date(file: CaseFile, raised: EscalationRaised, now: datetime) -> Reaction:
    """Cancel an appointment that lies too far ahead, and plan another one sooner."""
    name = raised.occasion.rpartition("/")[2]
    served = file.served(raised.order_id)
    plan = file.case.facts.get(f"appointment:{name}")
    if served is None or plan is None or not isinstance(plan.event, AppointmentPlanned):
        return _done(file, raised, now, AnswerReason.FILE_REVIEWED)
    file.drop_counselling()
    cancelled = replace(plan.event, state=AppointmentState.CANCELLED_BY_OFFICE)
    report = emit(file.world, APPOINTMENTS, cancelled, now)
    sooner = _plan(file, served, raised, now)
    return _done(file, raised, now, AnswerReason.FACT_TO_CORRECT, report, *sooner)


def _plan(
    file: CaseFile, served: ServedOrder, raised: EscalationRaised, now: datetime
) -> tuple[SimulatedEvent, ...]:
    """Draw the counselling that follows from an invitation, up to the next order or end.

    An end that was drawn without this contact no longer comes, unless it is final.
    """
    world = file.world
    wait = world.dice.lognormal(
        world.figures.answering.wait_median_days, world.figures.appointments.sigma
    )
    regional = raised.track in (Track.INDIVIDUAL, Track.FAMILY)
    office = raised.office_id if regional else served.place.office
    planned: Appointment = orders.appointment(world, now, wait, office)
    held, missed = file.attempts()
    counselling = trajectory.draw_invited(
        world, served, planned, now, engaged=held > 0, sequence=held + missed + 1
    )
    later = [*counselling.events, *draw_caused(world, served, counselling)]
    fixed = [one for one in file.coming_ends() if _is_final(one)]
    if fixed:
        later = list(still_valid(later, min(one.time for one in fixed)))
    else:
        file.drop(file.coming_ends())
        end = ends.draw_end_of(world, served, counselling, later)
        if end is not None:
            later = [*still_valid(later, end.event.effective_at), end.simulated]
    next_order = file.next_order_after(now)
    return tuple(still_valid(later, next_order) if next_order is not None else later)


def _is_final(said: SimulatedEvent) -> bool:
    return getattr(said.event, "reason", None) in ends.FINAL


def _end(file: CaseFile, served: ServedOrder, reason: EndReason, now: datetime) -> SimulatedEvent:
    """Return the report of an end that the office records; nothing else comes after it."""
    file.drop_counselling()
    file.drop(file.coming_ends())
    event = ends.report_end(file.world, served, reason, now).event
    return emit(file.world, ENDS, event, now)


def _has_address(file: CaseFile, served: ServedOrder) -> bool:
    order = file.newest(served.order.order_id) or served.order
    return order.residence_postcode is not None or order.lodging in _WITH_ADDRESS


def _done(
    file: CaseFile,
    raised: EscalationRaised,
    now: datetime,
    reason: AnswerReason,
    *events: SimulatedEvent,
) -> Reaction:
    return Reaction((_answered(file.world, raised, now, Answer.DONE, reason), *events))


def _answered(
    world: World,
    raised: EscalationRaised,
    now: datetime,
    answer: Answer,
    reason: AnswerReason,
    **more: Any,
) -> SimulatedEvent:
    event = ProposalAnswered(
        escalation_id=raised.escalation_id,
        round=raised.round,
        answer=answer,
        reason=reason,
        role=raised.addressed_to,
        answered_at=now,
        **more,
    )
    return emit(world, ANSWERS, event, now, mean=timedelta(minutes=10), most=timedelta(hours=1))


def _in_working_days(world: World, now: datetime, count: int) -> datetime:
    """Return an instant in office hours that many working days later, and after ``now``."""
    while True:
        day = days.after_working(days.local_day(now), count)
        at = days.at(day, world.dice.whole(*_OFFICE_HOURS))
        if at > now:
            return at
        count = max(1, count) if day == days.local_day(now) else count + 1
