"""Draw the end of the follow-up and its reopening, by reasons that fit the counselling.

A procedure that ends ``granted`` decides the end. Otherwise the reason is drawn by the ending of
the counselling; an end out of contact is reported only after a long silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.codes import Guard
from schemas.events import (
    CircumstanceChanged,
    CircumstanceOutcome,
    EndReason,
    FollowUpEnded,
    FollowUpState,
)
from streams.simulate.event import ENDS, SimulatedEvent, World, emit
from streams.simulate.orders import ServedOrder
from streams.simulate.trajectory import Trajectory

FINAL: Final = frozenset(
    {
        EndReason.LEFT_VOLUNTARILY,
        EndReason.REMOVED,
        EndReason.RESIDENCE_GRANTED,
        EndReason.TRANSFERRED_TO_ANOTHER_STATE,
        EndReason.DECEASED,
        EndReason.OPENED_IN_ERROR,
    }
)
"""Reasons after which no further order is drawn."""

GRANTED: Final = {
    Guard.APPEAL_SUSPENSIVE_PENDING: EndReason.ORDER_ANNULLED,
    Guard.ASYLUM_REQUEST_PENDING: EndReason.RESIDENCE_GRANTED,
    Guard.NEW_RESIDENCE_PROCEDURE: EndReason.RESIDENCE_GRANTED,
    Guard.MARRIAGE_OR_COHABITATION_PENDING: EndReason.RESIDENCE_GRANTED,
    Guard.VOLUNTARY_RETURN_IN_PROGRESS: EndReason.LEFT_VOLUNTARILY,
}
"""The end that follows if a procedure is granted; a voluntary return that is granted took place."""

_OF_THE_ORDER: Final = frozenset(
    {EndReason.ORDER_ANNULLED, EndReason.ORDER_WITHDRAWN, EndReason.OPENED_IN_ERROR}
)
_OUT_OF_CONTACT: Final = frozenset({EndReason.WHEREABOUTS_UNKNOWN, EndReason.LEFT_ON_OWN})


class ReportedEnd(NamedTuple):
    """An end of the follow-up: the report of it, and what it says."""

    simulated: SimulatedEvent
    event: FollowUpEnded


class _Why(NamedTuple):
    reason: EndReason
    at: datetime


def draw_end(
    world: World, served: ServedOrder, counselling: Trajectory, later: Iterable[SimulatedEvent]
) -> ReportedEnd | None:
    """Return the report of the end, or None if the follow-up stays open.

    ``later`` are the events after the order. Every counselling with an ending gets an end.
    """
    dice, figures, order = world.dice, world.figures.ends, served.order
    if dice.chance(figures.opened_in_error):
        at = order.notified_at + _days(world, figures.error_days)
        return report_end(world, served, EndReason.OPENED_IN_ERROR, at)
    return draw_end_of(world, served, counselling, later)


def draw_end_of(
    world: World, served: ServedOrder, counselling: Trajectory, later: Iterable[SimulatedEvent]
) -> ReportedEnd | None:
    """Return the end of a follow-up that was not opened in error, as ``draw_end`` does."""
    listed = list(later)
    why = _granted(listed) or _drawn(world, served, counselling, listed)
    return report_end(world, served, *why) if why is not None else None


def report_end(world: World, served: ServedOrder, reason: EndReason, at: datetime) -> ReportedEnd:
    """Return the report of an end at an instant, for the order or for the whole case."""
    order_id = served.order.order_id
    names_order = reason in _OF_THE_ORDER or world.dice.chance(world.figures.ends.names_order)
    event = FollowUpEnded(
        order_id=order_id if names_order else None, reason=reason, effective_at=at
    )
    return ReportedEnd(
        emit(world, ENDS, event, at, mean=timedelta(days=1), most=timedelta(days=10)), event
    )


def draw_reopening(world: World, end: ReportedEnd) -> Iterator[SimulatedEvent]:
    """Yield, for a share of the ends out of contact, the event that reopens the follow-up."""
    figures = world.figures.ends
    if end.event.reason in _OUT_OF_CONTACT and world.dice.chance(figures.reopened):
        at = end.simulated.time + _days(world, figures.reopened_after_days)
        yield reopened(world, end.event, at)


def reopened(world: World, end: FollowUpEnded, at: datetime) -> SimulatedEvent:
    """Return the event that reopens an end at an instant, reported soon after it."""
    event = replace(end, state=FollowUpState.REOPENED, effective_at=at)
    return emit(world, ENDS, event, at)


def _granted(later: Iterable[SimulatedEvent]) -> _Why | None:
    granted = [
        _Why(GRANTED[event.circumstance], event.effective_at)
        for event in (simulated.event for simulated in later)
        if isinstance(event, CircumstanceChanged)
        and event.outcome is CircumstanceOutcome.GRANTED
        and event.circumstance in GRANTED
    ]
    return min(granted, key=lambda why: why.at, default=None)


def _drawn(
    world: World, served: ServedOrder, counselling: Trajectory, later: Iterable[SimulatedEvent]
) -> _Why | None:
    dice, figures = world.dice, world.figures.ends
    if counselling.ending is not None:
        reason = dice.one(figures.after[counselling.ending])
    elif dice.chance(figures.never_seen_ends):
        reason = dice.one(figures.never_seen)
    else:
        return None
    if any(_decided_otherwise(simulated, reason) for simulated in later):
        reason = EndReason.WHEREABOUTS_UNKNOWN
    silent = reason is EndReason.WHEREABOUTS_UNKNOWN
    last = max((simulated.time for simulated in later), default=served.reported_at)
    wait = _days(world, figures.silent_days if silent else figures.settled_days)
    return _Why(reason, last + wait)


def _decided_otherwise(simulated: SimulatedEvent, reason: EndReason) -> bool:
    """Return whether a procedure that would have given this reason was not granted."""
    event = simulated.event
    return (
        isinstance(event, CircumstanceChanged)
        and GRANTED.get(event.circumstance) is reason
        and event.outcome not in (None, CircumstanceOutcome.UNKNOWN, CircumstanceOutcome.GRANTED)
    )


def _days(world: World, span: tuple[int, int]) -> timedelta:
    low, high = span
    return world.dice.lasting(timedelta(days=low), timedelta(days=high))
