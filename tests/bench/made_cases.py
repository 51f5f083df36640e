"""Generates cases of any length, such as 1,000 events, which realistic histories lack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Final
from uuid import UUID

from schemas.codec import Outgoing, encode
from schemas.codes import Guard, Language
from schemas.events import (
    Annex,
    AppointmentMissed,
    CircumstanceChanged,
    CircumstanceState,
    CoachRole,
    Conclusion,
    Cooperation,
    Delivery,
    Event,
    Household,
    HouseholdKind,
    InterviewCompleted,
    Invitation,
    Justification,
    Lodging,
    Notification,
    NotificationChannel,
    OqtIssued,
    Review,
)
from streams.simulate.event import APPOINTMENTS, DECISIONS, INTERVIEWS, ORDERS
from tests.bench.history import END, History

_SPAN = timedelta(days=85)
_OFFICE = "hasselt"
_SOURCES: Final[dict[type[Event], str]] = {
    OqtIssued: ORDERS,
    AppointmentMissed: APPOINTMENTS,
    InterviewCompleted: INTERVIEWS,
    CircumstanceChanged: DECISIONS,
}
"""Sources of the shipped table, which workers of every version accept."""


def made(cases: int, events_each: int) -> History:
    """Return ``cases`` cases of ``events_each`` distinct events each, sorted by time.

    The order is first, followed by misses, interviews and circumstances in turn.
    """
    dice = Random(f"{cases} x {events_each}")
    step = _SPAN / events_each
    said: list[tuple[datetime, int, Outgoing]] = []
    for number in range(cases):
        case_id = f"made-{events_each:04d}-{number:08d}"
        begun = END - _SPAN - timedelta(days=4) + step * dice.random()
        for nth, event in zip(range(events_each), _events(begun, step, number), strict=False):
            time = begun + step * nth + timedelta(minutes=5)
            record = encode(
                event,
                event_id=UUID(int=dice.getrandbits(128), version=4),
                case_id=case_id,
                source=_SOURCES[type(event)],
                time=time,
            )
            said.append((time, number, record))
    said.sort(key=lambda one: one[:2])
    return History(tuple(record for _, _, record in said), len(said))


def _events(begun: datetime, step: timedelta, number: int) -> Iterator[Event]:
    order_id = f"oqt-{number:016x}"
    yield OqtIssued(
        order_id=order_id,
        annex=Annex.A13,
        notified_at=begun,
        notification=Notification(channel=NotificationChannel.POLICE, proven=True),
        departure_term_days=30,
        repeat_order=False,
        residence_postcode="3500",
        lodging=Lodging.HOME,
        household=Household(kind=HouseholdKind.SINGLE),
        language=Language.NL,
    )
    for nth in count(1):
        at, sequence = begun + step * nth, min(nth, 999)
        name = f"{number:08x}{nth:08x}"
        match nth % 4:
            case 0:
                yield InterviewCompleted(
                    order_id=order_id,
                    interview_id=f"int-{name}",
                    sequence=sequence,
                    held_at=at,
                    office_id=_OFFICE,
                    coach_role=CoachRole.INDIVIDUAL,
                    conclusion=Conclusion.UNDECIDED,
                    cooperation=Cooperation.PARTIAL,
                    vulnerability_reviewed=True,
                )
            case 2:
                yield CircumstanceChanged(
                    circumstance=Guard.NEW_RESIDENCE_PROCEDURE,
                    state=CircumstanceState.BEGINS if nth % 8 == 2 else CircumstanceState.ENDS,
                    effective_at=at,
                    reference=f"proc-{number:08x}{nth // 8:08x}",
                )
            case _:
                yield AppointmentMissed(
                    order_id=order_id,
                    appointment_id=f"appt-{name}",
                    sequence=sequence,
                    scheduled_at=at,
                    office_id=_OFFICE,
                    invitation=Invitation(delivery=Delivery.PROVEN, language=Language.NL),
                    justification=Justification.NONE,
                    review=Review.NONE,
                )
