"""Find why a new invitation is due: what happened last leaves the person without a next step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from schemas.events import AppointmentState, OqtIssued
from schemas.instants import rfc3339
from streams.domain.appointments import Appointments
from streams.domain.case import Fact
from streams.domain.situation import Due, InvitationDue, MissedAppointment, MissKind
from streams.domain.stages import Interview, cancelled_at

_ABSENCES: Final = {
    MissKind.JUSTIFIED: InvitationDue.JUSTIFIED,
    MissKind.PENDING: InvitationDue.PENDING,
    MissKind.NOT_ASKED: InvitationDue.NOT_ASKED,
}
_CANCELLED: Final = {
    AppointmentState.CANCELLED_BY_OFFICE: InvitationDue.CANCELLED_BY_OFFICE,
    AppointmentState.CANCELLED_BY_PERSON: InvitationDue.CANCELLED_BY_PERSON,
}


def invitation_due(
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
        found.append((resumed, InvitationDue.RESUMED, order_fact, rfc3339(resumed)))
    if missed and missed[-1].kind in _ABSENCES:
        last = missed[-1]
        name = last.event.appointment_id
        found.append((last.event.scheduled_at, _ABSENCES[last.kind], last.fact, name))
    if known.cancelled is not None:
        one = known.cancelled
        at = cancelled_at(one, order)
        if at <= now:
            found.append((at, _CANCELLED[one.state], one.fact, one.appointment_id))
    if not found:
        return InvitationDue.NONE, None
    since, code, fact, name = max(found, key=lambda one: (one[0], one[1]))
    later = bool(missed) and missed[-1].event.scheduled_at > since
    held = bool(interviews) and interviews[-1].event.held_at >= since
    if later or held or (known.too_far is None and _takes_place(known, since)):
        return InvitationDue.NONE, None
    facts = (order_fact,) if fact is order_fact else (order_fact, fact)
    return code, Due(since, facts, f"{order.order_id}/invite/{code}/{name}")


def _takes_place(known: Appointments, since: datetime) -> bool:
    for one in reversed(known.known):
        if one.at <= since:
            return False
        if one.takes_place:
            return True
    return False
