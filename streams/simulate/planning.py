"""Draw how an appointment is planned, and whether it is moved or cancelled."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.events import (
    Appointment,
    AppointmentPlanned,
    AppointmentPurpose,
    AppointmentState,
    Delivery,
    Invitation,
    SentInvitation,
)
from streams.simulate import orders
from streams.simulate.event import APPOINTMENTS, SimulatedEvent, World
from streams.simulate.orders import ServedOrder

_MOST_CHANGES: Final = 2
_BEFORE: Final = timedelta(hours=1)
"""A plan, a move or a cancellation is reported at least this long before the appointment."""


class Plan(NamedTuple):
    """The events that plan an appointment, and the appointment that is to take place.

    ``appointment`` is None if it was cancelled and not planned again.
    """

    events: tuple[SimulatedEvent, ...]
    appointment: Appointment | None


def draw_plan(
    world: World,
    served: ServedOrder,
    planned: Appointment,
    purpose: AppointmentPurpose,
    sent_at: datetime,
    invitation: Invitation,
) -> Plan:
    """Draw the plan of an appointment to which the person is invited at ``sent_at``.

    ``invitation`` is that of the appointment which is to take place. An appointment keeps its
    reference when it is moved; when it is planned again after a cancellation, it gets a new one.
    """
    dice, figures = world.dice, world.figures.appointments
    first = purpose is AppointmentPurpose.FIRST
    again = figures.planned_again if first else figures.planned_again_engaged
    events: list[SimulatedEvent] = []
    for remaining in range(_MOST_CHANGES, -1, -1):
        change = dice.one(figures.change) if remaining else AppointmentState.PLANNED
        cancelled = change not in (AppointmentState.PLANNED, AppointmentState.MOVED)
        event = AppointmentPlanned(
            order_id=served.order.order_id,
            appointment_id=planned.appointment_id,
            office_id=planned.office_id,
            at=planned.at,
            state=AppointmentState.PLANNED,
            purpose=purpose,
            invitation=_sent(understood(served) if cancelled else invitation, sent_at),
        )
        reported_at = _report_time(world, max(sent_at, served.reported_at), planned.at)
        events.append(SimulatedEvent(reported_at, APPOINTMENTS, dice.uuid(), event))
        if change is AppointmentState.PLANNED:
            return Plan(tuple(events), planned)
        changed_at = reported_at + dice.lasting(
            timedelta(minutes=1), max(timedelta(minutes=1), planned.at - _BEFORE - reported_at)
        )
        if cancelled:
            event = replace(event, state=change)
        else:
            planned = _another_time(world, planned, served)
            event = replace(
                event, state=change, at=planned.at, invitation=_sent(invitation, changed_at)
            )
        events.append(SimulatedEvent(changed_at, APPOINTMENTS, dice.uuid(), event))
        if not cancelled:
            return Plan(tuple(events), planned)
        if not dice.chance(again):
            break
        wait = dice.lognormal(figures.follow_up_median_days, figures.sigma)
        planned = orders.appointment(world, changed_at, wait, planned.office_id)
        sent_at = changed_at
    return Plan(tuple(events), None)


def understood(served: ServedOrder) -> Invitation:
    """Return an invitation that was delivered in the language of the order."""
    return Invitation(delivery=Delivery.PROVEN, language=served.order.language)


def draw_kept_invitation(world: World, served: ServedOrder) -> Invitation:
    """Draw the invitation to an appointment that the person keeps: delivery is mostly proven."""
    invitation = understood(served)
    if world.dice.chance(world.figures.appointments.delivery_unproven):
        return replace(invitation, delivery=Delivery.UNPROVEN)
    return invitation


def _another_time(world: World, planned: Appointment, served: ServedOrder) -> Appointment:
    figures = world.figures.appointments
    wait = world.dice.lognormal(figures.median_days, figures.sigma)
    moved = orders.appointment(world, planned.at, wait, served.place.office)
    return replace(planned, at=moved.at)


def _sent(invitation: Invitation, sent_at: datetime) -> SentInvitation:
    return SentInvitation(
        delivery=invitation.delivery, language=invitation.language, sent_at=sent_at
    )


def _report_time(world: World, known_at: datetime, at: datetime) -> datetime:
    """Return when a plan is reported: soon after it is known, and before the appointment."""
    start = min(known_at, at - _BEFORE)
    most = max(timedelta(minutes=1), at - _BEFORE - start)
    return start + world.dice.soon(timedelta(hours=4), min(most, timedelta(hours=30)))
