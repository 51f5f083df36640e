"""Draw the counselling under one order: appointments, interviews and ending."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.events import (
    Appointment,
    AppointmentPurpose,
    CoachRole,
    Conclusion,
    Cooperation,
    HouseholdKind,
    InterviewCompleted,
    Invitation,
    Lodging,
)
from streams.simulate import days, misses, orders, planning
from streams.simulate.event import INTERVIEWS, SimulatedEvent, World, emit
from streams.simulate.figures import Ending, Group
from streams.simulate.orders import ServedOrder

_WALK_IN: Final = (9 * 60, 12 * 60)
"""The counter is open on Wednesdays from 09:00 to 12:00 [DVZ-FAQ]; minutes of the day."""

_INTERVIEW: Final = timedelta(minutes=45)

_LAST_INTERVIEW: Final = {
    Ending.VOLUNTARY_RETURN: (Conclusion.VOLUNTARY_RETURN_ACCEPTED, Cooperation.COOPERATING),
    Ending.RESIDENCE_PROCEDURE: (Conclusion.RESIDENCE_PROSPECT, Cooperation.COOPERATING),
    Ending.APPEAL: (Conclusion.UNDECIDED, Cooperation.PARTIAL),
    Ending.REFUSAL: (Conclusion.VOLUNTARY_RETURN_REFUSED, Cooperation.NOT_COOPERATING),
    Ending.OUT_OF_CONTACT: (Conclusion.UNDECIDED, Cooperation.PARTIAL),
    Ending.OTHER: (Conclusion.UNDECIDED, Cooperation.NOT_ASSESSED),
}


@dataclass(frozen=True, slots=True)
class Trajectory:
    """Events of the counselling; ``ending`` and ``ended_at`` are None without any interview."""

    events: tuple[SimulatedEvent, ...]
    ending: Ending | None = None
    ended_at: datetime | None = None


class _Kept(NamedTuple):
    """An appointment that the person attends, and the invitation to it."""

    appointment: Appointment
    invitation: Invitation


def draw_trajectory(world: World, served: ServedOrder) -> Trajectory:
    """Draw the whole counselling under one order; it may last months."""
    planned = served.order.first_appointment
    if planned is None:
        return _walk_in(world, served)
    return _attempts(world, served, planned)


def no_show_probability(world: World, served: ServedOrder, *, engaged: bool) -> float:
    """Return the probability that the person misses an appointment.

    ``engaged``: an interview was already held under this order.
    """
    figures, order = world.figures.no_show, served.order
    if order.lodging is Lodging.RETURN_HOUSE:
        rate = figures.housed
    elif engaged:
        rate = figures.follow_up
    elif order.lodging in (Lodging.RECEPTION, Lodging.OPEN_RETURN_PLACE):
        rate = figures.reception
    elif served.group is Group.POLICE:
        rate = figures.police
    elif order.household.kind is HouseholdKind.FAMILY_WITH_MINORS:
        rate = figures.family
    else:
        rate = figures.base
    odds = figures.odds_factor * rate / (1 - rate)
    return odds / (1 + odds)


def _walk_in(world: World, served: ServedOrder) -> Trajectory:
    dice, order = world.dice, served.order
    share = world.figures.appointments.walk_in_share
    if order.lodging is Lodging.DETAINED or not dice.chance(share):
        return Trajectory(())
    wait = timedelta(days=dice.whole(1, 21))
    day = days.walk_in_from(days.local_day(order.notified_at + wait))
    return _interviews(world, served, days.at(day, dice.whole(*_WALK_IN)), None, 1)


def _attempts(world: World, served: ServedOrder, planned: Appointment) -> Trajectory:
    """Draw invitations until the person attends or the office stops inviting."""
    return draw_invited(world, served, planned, served.order.notified_at, engaged=False, sequence=1)


def draw_invited(
    world: World,
    served: ServedOrder,
    planned: Appointment,
    sent_at: datetime,
    *,
    engaged: bool,
    sequence: int,
) -> Trajectory:
    """Draw the counselling from an invitation on, which is sent at ``sent_at``.

    ``engaged``: an interview was already held. ``sequence`` is the number of the appointment.
    """
    figures = world.figures.no_show
    missed, kept, sequence = _misses_until_kept(
        world,
        served,
        planned,
        sent_at,
        sequence=sequence,
        purpose=AppointmentPurpose.FOLLOW_UP if engaged else AppointmentPurpose.FIRST,
        share=no_show_probability(world, served, engaged=engaged),
        reinvited=figures.reinvited_engaged if engaged else figures.reinvited,
    )
    if kept is None:
        return Trajectory(tuple(missed))
    attended = _interviews(world, served, kept.appointment.at, kept, sequence)
    return Trajectory((*missed, *attended.events), attended.ending, attended.ended_at)


def _interviews(
    world: World, served: ServedOrder, held_at: datetime, kept: _Kept | None, sequence: int
) -> Trajectory:
    """Draw the interviews from the first one on, with the misses between them."""
    dice, figures = world.dice, world.figures.interviews
    remaining, ending = dice.one(figures.count), dice.one(figures.ending)
    engaged = no_show_probability(world, served, engaged=True)
    events: list[SimulatedEvent] = []
    while True:
        remaining -= 1
        last = remaining == 0
        follow_up = None
        if not last or ending is Ending.OUT_OF_CONTACT:
            follow_up = _follow_up(world, served, held_at)
        appointment = kept.appointment if kept else None
        if kept and dice.chance(world.figures.misses.reported_by_mistake):
            mistaken = misses.Absence(kept.invitation)
            events.extend(
                misses.draw_reports(world, served.order, kept.appointment, sequence, mistaken)
            )
        outcome = ending if last else None
        events.append(_interview(world, served, held_at, appointment, sequence, outcome, follow_up))
        if follow_up is None:
            return Trajectory(tuple(events), ending, held_at)
        missed, kept, sequence = _misses_until_kept(
            world,
            served,
            follow_up,
            held_at + _INTERVIEW,
            sequence=sequence + 1,
            purpose=AppointmentPurpose.FOLLOW_UP,
            share=1.0 if last else engaged,
            reinvited=(
                world.figures.no_show.reinvited if last else world.figures.no_show.reinvited_engaged
            ),
        )
        events.extend(missed)
        if kept is None:
            return Trajectory(tuple(events), Ending.OUT_OF_CONTACT, follow_up.at)
        held_at = kept.appointment.at


def _misses_until_kept(
    world: World,
    served: ServedOrder,
    planned: Appointment,
    sent_at: datetime,
    *,
    sequence: int,
    purpose: AppointmentPurpose,
    share: float,
    reinvited: float,
) -> tuple[list[SimulatedEvent], _Kept | None, int]:
    """Return the plans and misses before a kept appointment, that appointment and its sequence.

    ``share`` of the appointments are missed. The kept one is None if the person attends none of
    them, or if the office stops inviting.
    """
    figures, events = world.figures.no_show, list[SimulatedEvent]()
    for _ in range(figures.most_in_a_row):
        absence = misses.draw_absence(world, served.order) if world.dice.chance(share) else None
        invitation = absence.invitation if absence else planning.draw_kept_invitation(world, served)
        plan = planning.draw_plan(world, served, planned, purpose, sent_at, invitation)
        events.extend(plan.events)
        appointment = plan.appointment
        if appointment is None:
            break
        if absence is None:
            return events, _Kept(appointment, invitation), sequence
        events.extend(misses.draw_reports(world, served.order, appointment, sequence, absence))
        if not world.dice.chance(reinvited):
            break
        planned, sequence = _follow_up(world, served, appointment.at), sequence + 1
        sent_at = _reinvited_at(world, appointment.at, planned.at)
    return events, None, sequence


def _reinvited_at(world: World, missed_at: datetime, next_at: datetime) -> datetime:
    """Return when the next invitation is sent: days after a miss, and before the appointment."""
    low, high = world.figures.appointments.reinvited_within_days
    wait = world.dice.lasting(timedelta(days=low, hours=1), timedelta(days=high, hours=8))
    return missed_at + min(wait, (next_at - missed_at) / 2)


def _interview(
    world: World,
    served: ServedOrder,
    held_at: datetime,
    appointment: Appointment | None,
    sequence: int,
    ending: Ending | None,
    follow_up: Appointment | None,
) -> SimulatedEvent:
    conclusion, cooperation = Conclusion.UNDECIDED, Cooperation.PARTIAL
    if ending is not None:
        conclusion, cooperation = _LAST_INTERVIEW[ending]
    event = InterviewCompleted(
        order_id=served.order.order_id,
        interview_id=world.dice.token("itv"),
        appointment_id=appointment.appointment_id if appointment else None,
        sequence=sequence,
        held_at=held_at,
        office_id=appointment.office_id if appointment else served.place.office,
        coach_role=_coach(served),
        conclusion=conclusion,
        cooperation=cooperation,
        vulnerability_reviewed=world.dice.chance(world.figures.interviews.vulnerability_reviewed),
        next_appointment=follow_up,
    )
    return emit(world, INTERVIEWS, event, held_at + _INTERVIEW)


def _follow_up(world: World, served: ServedOrder, after: datetime) -> Appointment:
    figures = world.figures.appointments
    wait = world.dice.lognormal(figures.follow_up_median_days, figures.sigma)
    return orders.appointment(world, after, wait, served.place.office)


def _coach(served: ServedOrder) -> CoachRole:
    if served.order.lodging is Lodging.RETURN_HOUSE:
        return CoachRole.RETURN_HOUSE
    if served.order.lodging is Lodging.OPEN_RETURN_PLACE:
        return CoachRole.OPEN_RETURN_PLACE
    if served.order.household.kind is HouseholdKind.FAMILY_WITH_MINORS:
        return CoachRole.FAMILY
    return CoachRole.INDIVIDUAL
