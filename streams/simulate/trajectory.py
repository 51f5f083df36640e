"""Draw the counselling under one order: appointments, interviews and ending."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.events import (
    Appointment,
    CoachRole,
    Conclusion,
    Cooperation,
    HouseholdKind,
    InterviewCompleted,
    Lodging,
)
from streams.simulate import days, misses, orders
from streams.simulate.event import INTERVIEWS, SimulatedEvent, World, emit
from streams.simulate.figures import Ending, Group
from streams.simulate.orders import ServedOrder

_WALK_IN: Final = (9 * 60, 12 * 60)
"""The counter is open on Wednesdays from 09:00 to 12:00 [DVZ-FAQ]; minutes of the day."""

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


def draw_trajectory(world: World, served: ServedOrder) -> Trajectory:
    """Draw the whole counselling under one order; it may last months."""
    planned = served.order.first_appointment
    if planned is None:
        return _walk_in(world, served)
    return _attempts(world, served, planned, sequence=1)


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


def _attempts(
    world: World, served: ServedOrder, planned: Appointment, *, sequence: int
) -> Trajectory:
    """Draw invitations until the person attends or the office stops inviting."""
    figures, events = world.figures.no_show, list[SimulatedEvent]()
    for _ in range(figures.most_in_a_row):
        if not world.dice.chance(no_show_probability(world, served, engaged=False)):
            attended = _interviews(world, served, planned.at, planned, sequence)
            return Trajectory((*events, *attended.events), attended.ending, attended.ended_at)
        events.extend(misses.draw_reports(world, served.order, planned, sequence))
        if not world.dice.chance(figures.reinvited):
            break
        planned, sequence = _follow_up(world, served, planned.at), sequence + 1
    return Trajectory(tuple(events))


def _interviews(
    world: World, served: ServedOrder, held_at: datetime, kept: Appointment | None, sequence: int
) -> Trajectory:
    """Draw the interviews from the first one on, with the misses between them."""
    dice, figures = world.dice, world.figures.interviews
    remaining, ending = dice.one(figures.count), dice.one(figures.ending)
    events: list[SimulatedEvent] = []
    while True:
        remaining -= 1
        last = remaining == 0
        follow_up = None
        if not last or ending is Ending.OUT_OF_CONTACT:
            follow_up = _follow_up(world, served, held_at)
        if kept is not None and dice.chance(world.figures.misses.reported_by_mistake):
            events.extend(list(misses.draw_reports(world, served.order, kept, sequence))[:1])
        events.append(
            _interview(world, served, held_at, kept, sequence, ending if last else None, follow_up)
        )
        if follow_up is None:
            return Trajectory(tuple(events), ending, held_at)
        missed, kept, sequence = _misses_until_kept(
            world, served, follow_up, sequence + 1, out_of_contact=last
        )
        events.extend(missed)
        if kept is None:
            return Trajectory(tuple(events), Ending.OUT_OF_CONTACT, follow_up.at)
        held_at = kept.at


def _misses_until_kept(
    world: World, served: ServedOrder, planned: Appointment, sequence: int, *, out_of_contact: bool
) -> tuple[list[SimulatedEvent], Appointment | None, int]:
    """Return the misses before a kept follow-up, that follow-up and its sequence number.

    The follow-up is None if the person attends none of them.
    """
    figures, events = world.figures.no_show, list[SimulatedEvent]()
    for _ in range(figures.most_in_a_row):
        if not out_of_contact and not world.dice.chance(
            no_show_probability(world, served, engaged=True)
        ):
            return events, planned, sequence
        events.extend(misses.draw_reports(world, served.order, planned, sequence))
        reinvited = figures.reinvited if out_of_contact else figures.reinvited_engaged
        if not world.dice.chance(reinvited):
            break
        planned, sequence = _follow_up(world, served, planned.at), sequence + 1
    return events, None, sequence


def _interview(
    world: World,
    served: ServedOrder,
    held_at: datetime,
    kept: Appointment | None,
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
        appointment_id=kept.appointment_id if kept else None,
        sequence=sequence,
        held_at=held_at,
        office_id=kept.office_id if kept else served.place.office,
        coach_role=_coach(served),
        conclusion=conclusion,
        cooperation=cooperation,
        vulnerability_reviewed=world.dice.chance(world.figures.interviews.vulnerability_reviewed),
        next_appointment=follow_up,
    )
    return emit(world, INTERVIEWS, event, held_at + timedelta(minutes=45))


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
