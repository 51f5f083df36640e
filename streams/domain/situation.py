"""Derive a case's situation under its current order: the time-independent facts that rules test.

Where the sources are silent, these rules favour the person (inferred):

- A missed appointment counts only if delivery of the invitation is proven, the invitation is in
  the order's language, and no justification is accepted, pending or still to be asked: the duty is
  one of effort and mirrors a duty to inform [VR-LAW].
- An interview held under the same appointment proves that the appointment was not missed.
- A circumstance blocks until it ends, whichever order it names: a new order does not end it.
- An interview restarts the count of missed appointments (setting ``interview_restarts_count``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, assert_never

from schemas.events import (
    AppointmentMissed,
    AppointmentPlanned,
    CircumstanceChanged,
    Delivery,
    FollowUpEnded,
    InterviewCompleted,
    Justification,
    OqtIssued,
    ProposalAnswered,
    Review,
)
from schemas.types import Guard
from streams.domain.case import Case, Fact


class MissKind(StrEnum):
    """Whether a missed appointment counts and, if not, why."""

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
    """A missed appointment and its kind."""

    fact: Fact
    event: AppointmentMissed
    kind: MissKind


class Situation(NamedTuple):
    """The case under its current order. Each tuple is sorted by time, then by reference."""

    order: OqtIssued
    order_fact: Fact
    interviews: tuple[Interview, ...]
    missed: tuple[MissedAppointment, ...]
    """Appointments missed since the count last restarted."""
    counted: tuple[MissedAppointment, ...]
    """Those of ``missed`` that count."""
    circumstances: Mapping[Guard, Sequence[CircumstanceChanged]]
    """Circumstances reported for each guard, in no particular order."""
    last_contact: datetime
    """Latest of the notification, interviews, missed appointments and planned appointments."""
    last_contact_fact: Fact
    """Fact that ``last_contact`` comes from."""
    last_attempt: datetime | None
    """Time of the latest interview or missed appointment; None if there is neither."""


def derive_situation(case: Case, *, interview_restarts_count: bool = True) -> Situation | None:
    """Return the situation under the current order, or None if no order is known.

    The current order is the one notified last: a second order supersedes the first.
    """
    orders: list[tuple[Fact, OqtIssued]] = []
    all_misses: list[tuple[Fact, AppointmentMissed]] = []
    all_interviews: list[Interview] = []
    circumstances: dict[Guard, list[CircumstanceChanged]] = {}
    for fact in case.facts.values():
        event = fact.event
        if type(event) is OqtIssued:
            orders.append((fact, event))
        elif type(event) is AppointmentMissed:
            all_misses.append((fact, event))
        elif type(event) is InterviewCompleted:
            all_interviews.append(Interview(fact, event))
        elif type(event) is CircumstanceChanged:
            circumstances.setdefault(event.circumstance, []).append(event)
        elif not (
            type(event) is AppointmentPlanned
            or type(event) is ProposalAnswered
            or type(event) is FollowUpEnded
        ):
            assert_never(event)
    if not orders:
        return None
    order_fact, order = orders[0]
    if len(orders) > 1:
        newest: dict[str, tuple[Fact, OqtIssued]] = {}
        for fact, order in orders:
            known = newest.get(order.order_id)
            if known is None or fact.corrects(known[0]):
                newest[order.order_id] = (fact, order)
        orders = list(newest.values())
        order_fact, order = max(orders, key=lambda pair: (pair[1].notified_at, pair[1].order_id))

    interviews = [
        interview for interview in all_interviews if interview.event.order_id == order.order_id
    ]
    interviews.sort(key=lambda interview: (interview.event.held_at, interview.event.interview_id))
    attended = {interview.event.appointment_id for interview in interviews}
    all_missed = [
        MissedAppointment(fact, event, _classify(event, order))
        for fact, event in all_misses
        if event.order_id == order.order_id and event.appointment_id not in attended
    ]
    all_missed.sort(key=lambda miss: (miss.event.scheduled_at, miss.event.appointment_id))
    missed = all_missed
    if interviews and interview_restarts_count:
        restart = interviews[-1].event.held_at
        missed = [miss for miss in all_missed if miss.event.scheduled_at > restart]

    last_contact, last_contact_fact = _last_contact(order, order_fact, interviews, all_missed)
    attempts = [interview.event.held_at for interview in interviews]
    attempts += [miss.event.scheduled_at for miss in all_missed]
    return Situation(
        order,
        order_fact,
        tuple(interviews),
        tuple(missed),
        tuple([miss for miss in missed if miss.kind is MissKind.COUNTED]),
        circumstances,
        last_contact,
        last_contact_fact,
        max(attempts) if attempts else None,
    )


def _last_contact(
    order: OqtIssued,
    order_fact: Fact,
    interviews: Sequence[Interview],
    missed: Sequence[MissedAppointment],
) -> tuple[datetime, Fact]:
    """Return the latest contact and its fact; in a tie, the fact with the greater event id."""
    contacts = [(order.notified_at, order_fact)]
    if order.first_appointment:
        contacts.append((order.first_appointment.at, order_fact))
    for interview in interviews:
        contacts.append((interview.event.held_at, interview.fact))
        if interview.event.next_appointment:
            contacts.append((interview.event.next_appointment.at, interview.fact))
    contacts += [(miss.event.scheduled_at, miss.fact) for miss in missed]
    if len(contacts) == 1:
        return contacts[0]
    return max(contacts, key=lambda pair: (pair[0], pair[1].event_id))


def _classify(event: AppointmentMissed, order: OqtIssued) -> MissKind:
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
