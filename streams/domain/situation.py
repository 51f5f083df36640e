"""What a case amounts to under its current order, whatever the time: the facts that rules test.

Rules of reading, all in the person's favour where the sources are silent (inferred):

- a missed appointment counts only with proven delivery, in the order's language, and with no
  accepted, pending or unasked justification: the duty is one of effort and mirrors a duty to
  inform [VR-LAW];
- an interview held under the same appointment shows that it was not missed;
- a circumstance blocks until it ends, whichever order it names: a new order does not lift it;
- an interview held restarts the count of misses (configurable: ``interview_restarts_count``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, assert_never

from schemas.events import (
    AppointmentMissed,
    CircumstanceChanged,
    Delivery,
    InterviewCompleted,
    Justification,
    OqtIssued,
    Review,
)
from schemas.types import Guard
from streams.domain.case import Case, Fact


class MissKind(StrEnum):
    """How a missed appointment is read."""

    COUNTED = "counted"
    UNDELIVERED = "undelivered"
    WRONG_LANGUAGE = "wrong_language"
    PENDING = "pending"
    JUSTIFIED = "justified"


class Interview(NamedTuple):
    """An interview that took place."""

    fact: Fact
    event: InterviewCompleted


class MissedAppointment(NamedTuple):
    """A missed appointment and how it is read."""

    fact: Fact
    event: AppointmentMissed
    reading: MissKind


class Situation(NamedTuple):
    """The case under its current order. All sequences ascend by time, then by reference."""

    order: OqtIssued
    order_fact: Fact
    held: tuple[Interview, ...]
    missed: tuple[MissedAppointment, ...]
    """Misses since the count last started."""
    counted: tuple[MissedAppointment, ...]
    """Those of them that count."""
    circumstances: Mapping[Guard, Sequence[CircumstanceChanged]]
    """What was reported of each guard, in any order."""
    last_contact: datetime
    """Notification, last interview, last miss or last planned appointment: the latest of them."""
    last_contact_fact: Fact
    last_attempt: datetime | None
    """Latest appointment that was held or missed."""


def derive_situation(case: Case, *, interview_restarts_count: bool = True) -> Situation | None:
    """Return the situation under the current order; None while no order is known.

    The current order is the one notified last: a second order supersedes the first.
    """
    orders: list[tuple[Fact, OqtIssued]] = []
    misses: list[tuple[Fact, AppointmentMissed]] = []
    interviews: list[Interview] = []
    circumstances: dict[Guard, list[CircumstanceChanged]] = {}
    for fact in case.facts.values():
        event = fact.event
        if type(event) is OqtIssued:
            orders.append((fact, event))
        elif type(event) is AppointmentMissed:
            misses.append((fact, event))
        elif type(event) is InterviewCompleted:
            interviews.append(Interview(fact, event))
        elif type(event) is CircumstanceChanged:
            circumstances.setdefault(event.circumstance, []).append(event)
        else:
            assert_never(event)
    if not orders:
        return None
    order_fact, order = orders[0]
    if len(orders) > 1:
        order_fact, order = max(orders, key=lambda pair: (pair[1].notified_at, pair[1].order_id))

    held = [item for item in interviews if item.event.order_id == order.order_id]
    held.sort(key=lambda item: (item.event.held_at, item.event.interview_id))
    attended = {item.event.appointment_id for item in held}
    all_missed = [
        MissedAppointment(fact, event, _reading(event, order))
        for fact, event in misses
        if event.order_id == order.order_id and event.appointment_id not in attended
    ]
    all_missed.sort(key=lambda item: (item.event.scheduled_at, item.event.appointment_id))
    missed = all_missed
    if held and interview_restarts_count:
        restart = held[-1].event.held_at
        missed = [item for item in all_missed if item.event.scheduled_at > restart]

    last_contact, last_contact_fact = _last_contact(order, order_fact, held, all_missed)
    attempts = [h.event.held_at for h in held] + [m.event.scheduled_at for m in all_missed]
    return Situation(
        order,
        order_fact,
        tuple(held),
        tuple(missed),
        tuple([item for item in missed if item.reading is MissKind.COUNTED]),
        circumstances,
        last_contact,
        last_contact_fact,
        max(attempts) if attempts else None,
    )


def _last_contact(
    order: OqtIssued,
    order_fact: Fact,
    held: Sequence[Interview],
    missed: Sequence[MissedAppointment],
) -> tuple[datetime, Fact]:
    """Return the latest contact and the fact that tells of it; of a tie, the greater event id."""
    contacts = [(order.notified_at, order_fact)]
    if order.first_appointment:
        contacts.append((order.first_appointment.at, order_fact))
    for item in held:
        contacts.append((item.event.held_at, item.fact))
        if item.event.next_appointment:
            contacts.append((item.event.next_appointment.at, item.fact))
    contacts += [(miss.event.scheduled_at, miss.fact) for miss in missed]
    if len(contacts) == 1:
        return contacts[0]
    return max(contacts, key=lambda pair: (pair[0], pair[1].event_id))


def _reading(event: AppointmentMissed, order: OqtIssued) -> MissKind:
    if event.review is Review.ACCEPTED:
        return MissKind.JUSTIFIED
    if event.invitation.delivery is not Delivery.PROVEN:
        return MissKind.UNDELIVERED
    if event.invitation.language is not order.language:
        return MissKind.WRONG_LANGUAGE
    if event.review is Review.REJECTED:
        return MissKind.COUNTED
    if event.review is Review.PENDING or event.justification is not Justification.NONE:
        return MissKind.PENDING
    return MissKind.COUNTED
