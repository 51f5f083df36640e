"""Derive what is known about the appointments of a case: planned, passed, cancelled.

An order can name the first appointment and an interview the next one; an appointment-planned event
says more and holds over both, whatever their times. Only an appointment that is neither too far
ahead nor cancelled answers a proposal to invite.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, final

from schemas.events import (
    Appointment,
    AppointmentPlanned,
    AppointmentState,
    InterviewCompleted,
    OqtIssued,
)
from streams.domain.case import Fact


@final
class PlannedAppointment:
    """One appointment and the fact that planned, moved or cancelled it."""

    appointment_id: Final[str]
    order_id: Final[str]
    office_id: Final[str]
    at: Final[datetime]
    state: Final[AppointmentState]
    fact: Final[Fact]

    def __init__(
        self,
        appointment_id: str,
        order_id: str,
        office_id: str,
        at: datetime,
        state: AppointmentState,
        fact: Fact,
    ) -> None:
        self.appointment_id = appointment_id
        self.order_id = order_id
        self.office_id = office_id
        self.at = at
        self.state = state
        self.fact = fact

    @property
    def takes_place(self) -> bool:
        """Return whether it was not cancelled."""
        return self.state in (AppointmentState.PLANNED, AppointmentState.MOVED)

    def expects(self, at: datetime) -> bool:
        """Return whether the person was expected at ``at``.

        They were not if it was cancelled, or moved to another time before then.
        """
        moved = self.state is AppointmentState.MOVED
        return self.takes_place and (at == self.at or not moved or self.fact.time > at)

    def reported_by(self, missed_at: datetime) -> bool:
        """Return whether a miss at ``missed_at`` is about its present time, not an earlier one."""
        return self.state is not AppointmentState.MOVED or missed_at >= self.at


@final
class Appointments:
    """Appointments of a case under one order."""

    known: Final[tuple[PlannedAppointment, ...]]
    """Every appointment, by its time."""
    ahead: Final[PlannedAppointment | None]
    """The next one that takes place within the limit."""
    too_far: Final[PlannedAppointment | None]
    """One that takes place beyond the limit."""
    unreported: Final[PlannedAppointment | None]
    """The earliest one that passed without a miss or an interview."""
    cancelled: Final[PlannedAppointment | None]
    """The latest one if it was cancelled and none that takes place follows."""

    def __init__(
        self,
        known: tuple[PlannedAppointment, ...],
        ahead: PlannedAppointment | None,
        too_far: PlannedAppointment | None,
        unreported: PlannedAppointment | None,
        cancelled: PlannedAppointment | None,
    ) -> None:
        self.known = known
        self.ahead = ahead
        self.too_far = too_far
        self.unreported = unreported
        self.cancelled = cancelled


def planned(
    orders: Iterable[tuple[Fact, OqtIssued]],
    interviews: Iterable[tuple[Fact, InterviewCompleted]],
    events: Iterable[tuple[Fact, AppointmentPlanned]],
) -> dict[str, PlannedAppointment]:
    """Return every planned appointment of a case, by reference."""
    found: dict[str, PlannedAppointment] = {}
    for fact, order in orders:
        if order.first_appointment is not None:
            _add(found, fact, order.order_id, order.first_appointment)
    for fact, interview in interviews:
        if interview.next_appointment is not None:
            _add(found, fact, interview.order_id, interview.next_appointment)
    for fact, event in events:
        found[event.appointment_id] = PlannedAppointment(
            event.appointment_id, event.order_id, event.office_id, event.at, event.state, fact
        )
    return found


def _add(
    found: dict[str, PlannedAppointment], fact: Fact, order_id: str, appointment: Appointment
) -> None:
    known = found.get(appointment.appointment_id)
    if known is None or fact.corrects(known.fact):
        found[appointment.appointment_id] = PlannedAppointment(
            appointment.appointment_id,
            order_id,
            appointment.office_id,
            appointment.at,
            AppointmentState.PLANNED,
            fact,
        )


def appointments(
    all_planned: Iterable[PlannedAppointment],
    order_id: str,
    reported: frozenset[str] | set[str],
    last_held: datetime | None,
    now: datetime,
    limit: datetime,
) -> Appointments:
    """Return the appointments under an order at ``now``.

    ``reported`` are the references that a miss or an interview quotes. The last interview, at
    ``last_held``, covers the appointments before it. ``limit`` is how far ahead one may lie.
    """
    known = [one for one in all_planned if one.order_id == order_id]
    if not known:
        return NO_APPOINTMENTS
    known.sort(key=lambda one: (one.at, one.appointment_id))
    taking_place = [one for one in known if one.takes_place]
    ahead = next((one for one in taking_place if now < one.at <= limit), None)
    too_far = next((one for one in taking_place if one.at > limit), None)
    passed = [
        one
        for one in taking_place
        if one.at <= now
        and one.appointment_id not in reported
        and (last_held is None or one.at > last_held)
    ]
    latest = known[-1]
    return Appointments(
        tuple(known),
        ahead,
        too_far,
        passed[0] if passed else None,
        None if latest.takes_place else latest,
    )


NO_APPOINTMENTS: Final = Appointments((), None, None, None, None)
