"""One missed appointment: what is reported at once, and what a review corrects later."""

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
from streams.simulate.figures import Story

Reading = tuple[Justification, Review]

_NO_REASON: Reading = (Justification.NONE, Review.NONE)
_NOT_ASKED: Reading = (Justification.UNKNOWN, Review.NONE)


@dataclass(frozen=True, slots=True)
class _Account:
    """A miss from first report to last word; ``later`` is None when the first report stands."""

    invitation: Invitation
    first: Reading
    later: Reading | None = None


def missed(
    world: World, order: OqtIssued, planned: Appointment, sequence: int
) -> Iterator[SimulatedEvent]:
    """Yield the report of a miss and, for some, its correction days later.

    A correction names the same appointment, under a new event id, at a later CloudEvents time.
    """
    account = _account(world, order)
    event = AppointmentMissed(
        order_id=order.order_id,
        appointment_id=planned.appointment_id,
        sequence=sequence,
        scheduled_at=planned.at,
        office_id=planned.office_id,
        invitation=account.invitation,
        justification=account.first[0],
        review=account.first[1],
    )
    first = emit(world, APPOINTMENTS, event, planned.at + timedelta(minutes=30))
    yield first
    if account.later is None:
        return
    justification, review = account.later
    corrected = event.model_copy(update={"justification": justification, "review": review})
    low, high = (timedelta(days=count) for count in world.figures.misses.review_days)
    after = first.time + world.dice.lasting(low, high)
    yield SimulatedEvent(after, APPOINTMENTS, world.dice.uuid(), corrected)


def _account(world: World, order: OqtIssued) -> _Account:
    figures, dice = world.figures.misses, world.dice
    understood = Invitation(delivery=Delivery.PROVEN, language=order.language)
    match dice.one(figures.story):
        case Story.UNDELIVERED:
            failed = dice.chance(figures.delivery_failed)
            delivery = Delivery.FAILED if failed else Delivery.UNPROVEN
            reviewed = dice.chance(figures.delivery_reviewed)
            return _Account(
                Invitation(delivery=delivery, language=order.language),
                _NOT_ASKED,
                (Justification.NOT_DELIVERED, Review.ACCEPTED) if reviewed else None,
            )
        case Story.WRONG_LANGUAGE:
            other = Language.NL if order.language is Language.FR else Language.FR
            reported = dice.chance(figures.language_reported)
            return _Account(
                Invitation(delivery=Delivery.PROVEN, language=other),
                (Justification.WRONG_LANGUAGE, Review.PENDING) if reported else _NO_REASON,
            )
        case Story.JUSTIFIED:
            reason = dice.one(figures.reasons)
            accepted = (reason, Review.ACCEPTED)
            if dice.chance(figures.accepted_at_once):
                return _Account(understood, accepted)
            pending = dice.chance(figures.pending_first)
            return _Account(
                understood, (reason, Review.PENDING) if pending else _NOT_ASKED, accepted
            )
        case Story.REASON_REFUSED:
            reason = dice.one(figures.reasons)
            return _Account(understood, (reason, Review.PENDING), (reason, Review.REJECTED))
        case Story.NEVER_ASKED:
            return _Account(understood, _NOT_ASKED)
        case Story.ASKED_LATER:
            return _Account(understood, _NOT_ASKED, _NO_REASON)
        case Story.NO_REASON:
            return _Account(understood, _NO_REASON)
