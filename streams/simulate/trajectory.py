"""The counselling under one order: appointments kept or missed, interviews, how it ends."""

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
from streams.simulate import days, orders
from streams.simulate.event import INTERVIEWS, SimulatedEvent, World, emit
from streams.simulate.figures import Ending, Group
from streams.simulate.misses import missed
from streams.simulate.orders import Served

_WALK_IN: Final = (9 * 60, 12 * 60)
"""The counter is open on Wednesdays from 09:00 to 12:00 [DVZ-FAQ]; minutes of the day."""

_LAST_WORD: Final = {
    Ending.VOLUNTARY_RETURN: (Conclusion.VOLUNTARY_RETURN_ACCEPTED, Cooperation.COOPERATING),
    Ending.RESIDENCE_PROCEDURE: (Conclusion.RESIDENCE_PROSPECT, Cooperation.COOPERATING),
    Ending.APPEAL: (Conclusion.UNDECIDED, Cooperation.PARTIAL),
    Ending.REFUSAL: (Conclusion.VOLUNTARY_RETURN_REFUSED, Cooperation.NOT_COOPERATING),
    Ending.OUT_OF_CONTACT: (Conclusion.UNDECIDED, Cooperation.PARTIAL),
    Ending.OTHER: (Conclusion.UNDECIDED, Cooperation.NOT_ASSESSED),
}


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What happened at the office; ``ending`` and ``ended_at`` are None for who never came."""

    events: tuple[SimulatedEvent, ...]
    ending: Ending | None = None
    ended_at: datetime | None = None


def follow(world: World, served: Served) -> Trajectory:
    """Return the counselling under one order, to its end, however long it takes."""
    planned = served.order.first_appointment
    if planned is None:
        return _walked_in(world, served)
    return _attempts(world, served, planned, sequence=1)


def no_show(world: World, served: Served, *, engaged: bool) -> float:
    """Return the chance that the person misses an appointment.

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


def _walked_in(world: World, served: Served) -> Trajectory:
    dice, order = world.dice, served.order
    share = world.figures.appointments.walk_in_share
    if order.lodging is Lodging.DETAINED or not dice.chance(share):
        return Trajectory(())
    wait = timedelta(days=dice.whole(1, 21))
    day = days.walk_in_from(days.local_day(order.notified_at + wait))
    return _interviews(world, served, days.at(day, dice.whole(*_WALK_IN)), None, 1)


def _attempts(world: World, served: Served, planned: Appointment, *, sequence: int) -> Trajectory:
    """Invite again after each miss, until the person comes or the office gives up."""
    figures, said = world.figures.no_show, list[SimulatedEvent]()
    for _ in range(figures.most_in_a_row):
        if not world.dice.chance(no_show(world, served, engaged=False)):
            came = _interviews(world, served, planned.at, planned, sequence)
            return Trajectory((*said, *came.events), came.ending, came.ended_at)
        said.extend(missed(world, served.order, planned, sequence))
        if not world.dice.chance(figures.reinvited):
            break
        planned, sequence = _next(world, served, planned.at), sequence + 1
    return Trajectory(tuple(said))


def _interviews(
    world: World, served: Served, held_at: datetime, kept: Appointment | None, sequence: int
) -> Trajectory:
    """Draw the interviews of a person who came, with the misses between them."""
    dice, figures = world.dice, world.figures.interviews
    to_hold, ending = dice.one(figures.count), dice.one(figures.ending)
    said: list[SimulatedEvent] = []
    while True:
        to_hold -= 1
        last = to_hold == 0
        ahead = None
        if not last or ending is Ending.OUT_OF_CONTACT:
            ahead = _next(world, served, held_at)
        if kept is not None and dice.chance(world.figures.misses.taken_back):
            said.extend(list(missed(world, served.order, kept, sequence))[:1])
        said.append(
            _interview(world, served, held_at, kept, sequence, ending if last else None, ahead)
        )
        if ahead is None:
            return Trajectory(tuple(said), ending, held_at)
        misses, kept, sequence = _until_kept(world, served, ahead, sequence + 1, lost=last)
        said.extend(misses)
        if kept is None:
            return Trajectory(tuple(said), Ending.OUT_OF_CONTACT, ahead.at)
        held_at = kept.at


def _until_kept(
    world: World, served: Served, planned: Appointment, sequence: int, *, lost: bool
) -> tuple[list[SimulatedEvent], Appointment | None, int]:
    """Return the misses before a follow-up is kept, that follow-up (None: never), its sequence."""
    figures, said = world.figures.no_show, list[SimulatedEvent]()
    for _ in range(figures.most_in_a_row):
        if not lost and not world.dice.chance(no_show(world, served, engaged=True)):
            return said, planned, sequence
        said.extend(missed(world, served.order, planned, sequence))
        if not world.dice.chance(figures.reinvited if lost else figures.reinvited_engaged):
            break
        planned, sequence = _next(world, served, planned.at), sequence + 1
    return said, None, sequence


def _interview(
    world: World,
    served: Served,
    held_at: datetime,
    kept: Appointment | None,
    sequence: int,
    ending: Ending | None,
    ahead: Appointment | None,
) -> SimulatedEvent:
    conclusion, cooperation = Conclusion.UNDECIDED, Cooperation.PARTIAL
    if ending is not None:
        conclusion, cooperation = _LAST_WORD[ending]
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
        next_appointment=ahead,
    )
    return emit(world, INTERVIEWS, event, held_at + timedelta(minutes=45))


def _next(world: World, served: Served, after: datetime) -> Appointment:
    figures = world.figures.appointments
    wait = world.dice.lognormal(figures.follow_up_median_days, figures.sigma)
    return orders.appointment(world, after, wait, served.place.office)


def _coach(served: Served) -> CoachRole:
    if served.order.lodging is Lodging.RETURN_HOUSE:
        return CoachRole.RETURN_HOUSE
    if served.order.lodging is Lodging.OPEN_RETURN_PLACE:
        return CoachRole.OPEN_RETURN_PLACE
    if served.order.household.kind is HouseholdKind.FAMILY_WITH_MINORS:
        return CoachRole.FAMILY
    return CoachRole.INDIVIDUAL
