"""Draw the reports of one missed appointment: the first one, and a correction after a review."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from schemas.events import (
    Appointment,
    AppointmentMissed,
    Delivery,
    Invitation,
    Justification,
    OqtIssued,
    Review,
)
from schemas.types import Language
from streams.simulate.event import APPOINTMENTS, SimulatedEvent, World, emit
from streams.simulate.figures import MissCause

Reason = tuple[Justification, Review]

_NO_REASON: Reason = (Justification.NONE, Review.NONE)
_NOT_ASKED: Reason = (Justification.UNKNOWN, Review.NONE)


@dataclass(frozen=True, slots=True)
class _Reports:
    """First report and correction of a miss; ``corrected`` is None if there is no correction."""

    invitation: Invitation
    first: Reason
    corrected: Reason | None = None


def draw_reports(
    world: World, order: OqtIssued, planned: Appointment, sequence: int
) -> Iterator[SimulatedEvent]:
    """Yield the report of a miss and, for a share of misses, its correction days later.

    A correction names the same appointment, under a new event id, at a later CloudEvents time.
    """
    reports = _reports(world, order)
    event = AppointmentMissed(
        order_id=order.order_id,
        appointment_id=planned.appointment_id,
        sequence=sequence,
        scheduled_at=planned.at,
        office_id=planned.office_id,
        invitation=reports.invitation,
        justification=reports.first[0],
        review=reports.first[1],
    )
    first = emit(world, APPOINTMENTS, event, planned.at + timedelta(minutes=30))
    yield first
    if reports.corrected is None:
        return
    justification, review = reports.corrected
    correction = event.model_copy(update={"justification": justification, "review": review})
    low, high = (timedelta(days=count) for count in world.figures.misses.review_days)
    after = first.time + world.dice.lasting(low, high)
    yield SimulatedEvent(after, APPOINTMENTS, world.dice.uuid(), correction)


def _reports(world: World, order: OqtIssued) -> _Reports:
    figures, dice = world.figures.misses, world.dice
    understood = Invitation(delivery=Delivery.PROVEN, language=order.language)
    match dice.one(figures.cause):
        case MissCause.UNDELIVERED:
            failed = dice.chance(figures.delivery_failed)
            delivery = Delivery.FAILED if failed else Delivery.UNPROVEN
            reviewed = dice.chance(figures.delivery_reviewed)
            return _Reports(
                Invitation(delivery=delivery, language=order.language),
                _NOT_ASKED,
                (Justification.NOT_DELIVERED, Review.ACCEPTED) if reviewed else None,
            )
        case MissCause.WRONG_LANGUAGE:
            other = Language.NL if order.language is Language.FR else Language.FR
            reported = dice.chance(figures.language_reported)
            return _Reports(
                Invitation(delivery=Delivery.PROVEN, language=other),
                (Justification.WRONG_LANGUAGE, Review.PENDING) if reported else _NO_REASON,
            )
        case MissCause.JUSTIFIED:
            reason = dice.one(figures.reasons)
            accepted = (reason, Review.ACCEPTED)
            if dice.chance(figures.accepted_at_once):
                return _Reports(understood, accepted)
            pending = dice.chance(figures.pending_first)
            return _Reports(
                understood, (reason, Review.PENDING) if pending else _NOT_ASKED, accepted
            )
        case MissCause.REASON_REFUSED:
            reason = dice.one(figures.reasons)
            return _Reports(understood, (reason, Review.PENDING), (reason, Review.REJECTED))
        case MissCause.NEVER_ASKED:
            return _Reports(understood, _NOT_ASKED)
        case MissCause.ASKED_LATER:
            return _Reports(understood, _NOT_ASKED, _NO_REASON)
        case MissCause.NO_REASON:
            return _Reports(understood, _NO_REASON)
