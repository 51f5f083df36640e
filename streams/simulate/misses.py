"""Draw a missed appointment: its cause, its first report, and a correction after a review."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from schemas.codes import Language
from schemas.events import (
    Appointment,
    AppointmentMissed,
    Delivery,
    Invitation,
    Justification,
    OqtIssued,
    Review,
)
from streams.simulate.event import APPOINTMENTS, SimulatedEvent, World, emit
from streams.simulate.figures import MissCause

Reason = tuple[Justification, Review]

_NO_REASON: Reason = (Justification.NONE, Review.NONE)
_NOT_ASKED: Reason = (Justification.UNKNOWN, Review.NONE)


@dataclass(frozen=True, slots=True)
class Absence:
    """Why an appointment is missed: how the person was invited, and what is reported about it.

    ``corrected`` is None if the first report is not corrected.
    """

    invitation: Invitation
    first: Reason = _NO_REASON
    corrected: Reason | None = None


def draw_reports(
    world: World, order: OqtIssued, missed: Appointment, sequence: int, absence: Absence
) -> Iterator[SimulatedEvent]:
    """Yield the report of a miss and, for a share of misses, its correction days later.

    A correction names the same appointment, under a new event id, at a later CloudEvents time.
    """
    event = AppointmentMissed(
        order_id=order.order_id,
        appointment_id=missed.appointment_id,
        sequence=sequence,
        scheduled_at=missed.at,
        office_id=missed.office_id,
        invitation=absence.invitation,
        justification=absence.first[0],
        review=absence.first[1],
    )
    first = emit(world, APPOINTMENTS, event, missed.at + timedelta(minutes=30))
    yield first
    if absence.corrected is None:
        return
    justification, review = absence.corrected
    correction = replace(event, justification=justification, review=review)
    low, high = (timedelta(days=count) for count in world.figures.misses.review_days)
    after = first.time + world.dice.lasting(low, high)
    yield SimulatedEvent(after, APPOINTMENTS, world.dice.uuid(), correction)


def draw_absence(world: World, order: OqtIssued) -> Absence:
    """Draw why the person will miss an appointment; it is known when the invitation is sent."""
    figures, dice = world.figures.misses, world.dice
    understood = Invitation(delivery=Delivery.PROVEN, language=order.language)
    match dice.one(figures.cause):
        case MissCause.UNDELIVERED:
            failed = dice.chance(figures.delivery_failed)
            delivery = Delivery.FAILED if failed else Delivery.UNPROVEN
            reviewed = dice.chance(figures.delivery_reviewed)
            return Absence(
                Invitation(delivery=delivery, language=order.language),
                _NOT_ASKED,
                (Justification.NOT_DELIVERED, Review.ACCEPTED) if reviewed else None,
            )
        case MissCause.WRONG_LANGUAGE:
            other = Language.NL if order.language is Language.FR else Language.FR
            reported = dice.chance(figures.language_reported)
            return Absence(
                Invitation(delivery=Delivery.PROVEN, language=other),
                (Justification.WRONG_LANGUAGE, Review.PENDING) if reported else _NO_REASON,
            )
        case MissCause.JUSTIFIED:
            reason = dice.one(figures.reasons)
            accepted = (reason, Review.ACCEPTED)
            if dice.chance(figures.accepted_at_once):
                return Absence(understood, accepted)
            pending = dice.chance(figures.pending_first)
            return Absence(
                understood, (reason, Review.PENDING) if pending else _NOT_ASKED, accepted
            )
        case MissCause.REASON_REFUSED:
            reason = dice.one(figures.reasons)
            return Absence(understood, (reason, Review.PENDING), (reason, Review.REJECTED))
        case MissCause.NEVER_ASKED:
            return Absence(understood, _NOT_ASKED)
        case MissCause.ASKED_LATER:
            return Absence(understood, _NOT_ASKED, _NO_REASON)
        case MissCause.NO_REASON:
            return Absence(understood)
