"""Derive what is known about the appointments of a case: planned, passed, cancelled.

An order can name the first appointment and an interview the next one; an appointment-planned event
says more and holds over both, whatever their times. Only an appointment that is neither too far
ahead nor cancelled answers a proposal to invite.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Set
from datetime import datetime
from itertools import islice
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
    takes_place: Final[bool]
    """Whether it was not cancelled."""

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
        self.takes_place = state is AppointmentState.PLANNED or state is AppointmentState.MOVED

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
        first = order.first_appointment
        if first is not None:
            _add(found, fact, order.order_id, first)
    for fact, interview in interviews:
        following = interview.next_appointment
        if following is not None:
            _add(found, fact, interview.order_id, following)
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


def in_order(
    all_planned: Iterable[PlannedAppointment], order_id: str
) -> tuple[PlannedAppointment, ...]:
    """Return the appointments under an order by their times."""
    known = [one for one in all_planned if one.order_id == order_id]
    known.sort(key=lambda one: (one.at, one.appointment_id))
    return tuple(known)


def appointments(
    known: tuple[PlannedAppointment, ...],
    reported: Set[str],
    last_held: datetime | None,
    now: datetime,
    limit: datetime,
) -> Appointments:
    """Return the appointments under an order at ``now``, given by their times.

    ``reported`` are the references that a miss or an interview quotes. The last interview, at
    ``last_held``, covers the appointments before it. ``limit`` is how far ahead one may lie.
    """
    ahead = too_far = unreported = None
    first = _after(last_held, known) if last_held is not None else 0
    for one in islice(known, first, None):
        if one.at > now:
            break
        if (
            one.takes_place
            and one.appointment_id not in reported
            and (last_held is None or one.at > last_held)
        ):
            unreported = one
            break
    for one in islice(known, _after(now, known), None):
        if one.takes_place and one.at > now:
            if one.at > limit:
                too_far = one
                break
            if ahead is None:
                ahead = one
    latest = known[-1]
    return Appointments(known, ahead, too_far, unreported, None if latest.takes_place else latest)


_FEW: Final = 16
"""Appointments among which a search by halves costs more than to look at each."""


def _after(instant: datetime, known: tuple[PlannedAppointment, ...]) -> int:
    """Return the place of the first appointment after an instant, or an earlier place."""
    return 0 if len(known) <= _FEW else bisect_right(known, instant, key=_at)


def _at(one: PlannedAppointment) -> datetime:
    return one.at


NO_APPOINTMENTS: Final = Appointments((), None, None, None, None)
