"""Draw one order to leave: person, authority, residence, term and first appointment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from schemas.events import (
    Annex,
    Appointment,
    Household,
    HouseholdKind,
    Lodging,
    Notification,
    OqtIssued,
    TermReason,
)
from streams.simulate import days, places
from streams.simulate.event import World
from streams.simulate.figures import Group, Service
from streams.simulate.places import Residence

FULL_TERM: Final = 30
_EU_ANNEXES: Final = (Annex.A20, Annex.A21)
_AT_LARGE: Final = (Lodging.HOME, Lodging.RECEPTION, Lodging.OPEN_RETURN_PLACE)
_OFFICE_HOURS: Final = (9 * 60, 17 * 60)
_POLICE_HOURS: Final = (5 * 60, 23 * 60)
_SLOTS: Final = tuple(range(9 * 60, 16 * 60 + 1, 30))


@dataclass(frozen=True, slots=True)
class Person:
    """Attributes of a person or family that every order of a case shares."""

    household: Household
    interpreter: str | None


@dataclass(frozen=True, slots=True)
class ServedOrder:
    """An order, with attributes of its service that the event does not contain."""

    order: OqtIssued
    group: Group
    place: Residence
    reported_at: datetime


def draw_person(world: World) -> Person:
    """Return a person or family, drawn by the shares of the figures."""
    figures, dice = world.figures.people, world.dice
    kind = dice.one(figures.household)
    minors = dice.one(figures.minors) if kind is HouseholdKind.FAMILY_WITH_MINORS else 0
    needed = dice.chance(figures.interpreter_share)
    interpreter = dice.one(figures.interpreter) if needed else None
    return Person(Household(kind=kind, minors=minors), interpreter)


def serve(world: World, person: Person, day: date, *, repeat: bool) -> ServedOrder:
    """Draw an order notified on ``day``. When offices are closed, only the police serve orders."""
    dice, figures = world.dice, world.figures
    group = dice.one(figures.group) if days.is_working(day) else Group.POLICE
    service = figures.service[group]
    hours = _POLICE_HOURS if group is Group.POLICE else _OFFICE_HOURS
    notified_at = days.at(day, dice.whole(*hours))
    place, lodging, known = _residence(world, person, service)
    annex, term, reason = _term(world, person, service, lodging, repeat=repeat)
    order = OqtIssued(
        order_id=dice.token("oqt"),
        annex=annex,
        notified_at=notified_at,
        notification=Notification(
            channel=dice.one(service.channel), proven=dice.chance(service.proven)
        ),
        departure_term_days=term,
        departure_term_reason=reason,
        repeat_order=repeat,
        residence_postcode=place.postcode if known else None,
        interception_postcode=None if known and group is not Group.POLICE else place.postcode,
        lodging=lodging,
        household=person.household,
        language=place.language,
        interpreter_language=person.interpreter,
        first_appointment=_first_appointment(world, notified_at, term, lodging, known, place),
    )
    reported_at = notified_at + dice.soon(timedelta(hours=5), timedelta(hours=30))
    return ServedOrder(order, group, place, reported_at)


def appointment(world: World, after: datetime, wait_days: float, office: str) -> Appointment:
    """Return an appointment on the first working day at least ``wait_days`` after an instant."""
    day = days.working_from(days.local_day(after) + timedelta(days=max(1, round(wait_days))))
    return Appointment(
        appointment_id=world.dice.token("appt"),
        office_id=office,
        at=days.at(day, world.dice.any(_SLOTS)),
    )


def _residence(world: World, person: Person, service: Service) -> tuple[Residence, Lodging, bool]:
    dice = world.dice
    family = person.household.kind is HouseholdKind.FAMILY_WITH_MINORS
    if family and dice.chance(world.figures.return_house_share):
        return places.return_house(world), Lodging.RETURN_HOUSE, True
    known = dice.chance(service.address_known)
    lodging = dice.one(service.lodging if known else service.lodging_no_address)
    if lodging is Lodging.DETAINED and person.household.kind is not HouseholdKind.SINGLE:
        # Minors are not held in closed centres [AIDA].
        lodging = Lodging.HOME if known else Lodging.NONE
    return places.residence_anywhere(world), lodging, known


def _term(
    world: World, person: Person, service: Service, lodging: Lodging, *, repeat: bool
) -> tuple[Annex, int, TermReason | None]:
    dice, terms = world.dice, world.figures.terms
    if person.household.kind is HouseholdKind.UNACCOMPANIED_MINOR:
        return Annex.A38, FULL_TERM, None
    annex = Annex.A13SEPTIES if lodging is Lodging.DETAINED else dice.one(service.annex)
    days_given = 0 if lodging is Lodging.DETAINED else dice.one(service.term)
    if annex in _EU_ANNEXES or days_given >= FULL_TERM:
        return annex, FULL_TERM, None
    if repeat and dice.chance(terms.repeat_reason_share):
        return annex, days_given, TermReason.EARLIER_ORDER_NOT_FOLLOWED
    reasons = terms.reason_short if days_given else terms.reason_none
    return annex, days_given, dice.one(reasons)


def _first_appointment(
    world: World, notified_at: datetime, term: int, lodging: Lodging, known: bool, place: Residence
) -> Appointment | None:
    figures, dice = world.figures.appointments, world.dice
    if not known or lodging not in _AT_LARGE or term == 0:
        return None
    if not dice.chance(figures.share_when_possible):
        return None
    wait = dice.lognormal(figures.median_days, figures.sigma)
    for _ in range(8):
        if wait <= term - 3:
            break
        wait = dice.lognormal(figures.median_days, figures.sigma)
    # A weekend and a public holiday can move the day by three; it stays inside the term.
    return appointment(world, notified_at, min(wait, term - 3), place.office)
