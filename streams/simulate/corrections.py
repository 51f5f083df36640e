"""Draw the corrections of an order: a move, an address that was found, detention and release."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from schemas.events import HouseholdKind, Lodging, OqtIssued
from streams.simulate import places
from streams.simulate.event import ORDERS, SimulatedEvent, World
from streams.simulate.orders import ServedOrder

_MOVABLE = (Lodging.HOME, Lodging.RECEPTION)


def draw_corrections(world: World, served: ServedOrder) -> Iterator[SimulatedEvent]:
    """Yield corrections: the same order, a new event id, a later CloudEvents time.

    A correction keeps the language and the first appointment, which were fixed when the order was
    served. Most corrections say since when the lodging and the residence hold.
    """
    figures, dice, order = world.figures.corrections, world.dice, served.order
    if order.lodging is Lodging.DETAINED:
        if dice.chance(figures.released):
            yield _released(world, served, order, order.notified_at)
    elif order.lodging is Lodging.NONE:
        if dice.chance(figures.address_found):
            yield _moved(world, served, near=True)
    elif order.lodging in _MOVABLE:
        if dice.chance(figures.address_changed):
            yield _moved(world, served, near=dice.chance(figures.same_province))
        # Minors are not held in closed centres [AIDA].
        elif order.household.kind is HouseholdKind.SINGLE and dice.chance(figures.detained):
            yield from _detained(world, served)


def _moved(world: World, served: ServedOrder, *, near: bool) -> SimulatedEvent:
    place = (
        places.residence_in(world, served.place.province)
        if near
        else places.residence_anywhere(world)
    )
    since = served.order.notified_at + _days(world, world.figures.corrections.within_days)
    change = {"lodging": Lodging.HOME, "residence_postcode": place.postcode}
    return _corrected(world, served.order, change, since)


def _detained(world: World, served: ServedOrder) -> Iterator[SimulatedEvent]:
    figures = world.figures.corrections
    since = served.order.notified_at + _days(world, figures.within_days)
    detained = _corrected(world, served.order, {"lodging": Lodging.DETAINED}, since)
    yield detained
    if world.dice.chance(figures.released):
        yield _released(world, served, served.order, max(since, detained.time))


def _released(
    world: World, served: ServedOrder, order: OqtIssued, detained_at: datetime
) -> SimulatedEvent:
    place = places.residence_in(world, served.place.province)
    since = detained_at + _days(world, world.figures.corrections.released_after_days)
    change = {"lodging": Lodging.HOME, "residence_postcode": place.postcode}
    return _corrected(world, order, change, since)


def _corrected(
    world: World, order: OqtIssued, change: dict[str, Any], since: datetime
) -> SimulatedEvent:
    if world.dice.chance(world.figures.corrections.since_reported):
        change["lodging_since"] = since
        if "residence_postcode" in change:
            change["residence_since"] = since
    time = since + world.dice.soon(timedelta(days=1), timedelta(days=4))
    return SimulatedEvent(time, ORDERS, world.dice.uuid(), replace(order, **change))


def _days(world: World, span: tuple[int, int]) -> timedelta:
    low, high = span
    return world.dice.lasting(timedelta(days=low), timedelta(days=high))
