"""Draw the correction of an order: a move, an address that was found, or the end of detention."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from schemas.events import Lodging
from streams.simulate import places
from streams.simulate.event import ORDERS, SimulatedEvent, World
from streams.simulate.orders import ServedOrder

_MOVABLE = (Lodging.HOME, Lodging.RECEPTION)


def draw_corrections(world: World, served: ServedOrder) -> Iterator[SimulatedEvent]:
    """Yield at most one correction: the same order, a new event id, a later CloudEvents time.

    A correction keeps the language and the first appointment, which were fixed when the order was
    served.
    """
    change = _change(world, served)
    if change:
        low, high = (timedelta(days=count) for count in world.figures.corrections.within_days)
        later = served.order.notified_at + world.dice.lasting(low, high)
        event = served.order.model_copy(update=change)
        yield SimulatedEvent(later, ORDERS, world.dice.uuid(), event)


def _change(world: World, served: ServedOrder) -> dict[str, Any]:
    figures, dice, order = world.figures.corrections, world.dice, served.order
    if order.lodging is Lodging.DETAINED:
        if not dice.chance(figures.released):
            return {}
        place = places.residence_in(world, served.place.province)
        return {"lodging": Lodging.HOME, "residence_postcode": place.postcode}
    if order.lodging is Lodging.NONE:
        if not dice.chance(figures.address_found):
            return {}
        place = places.residence_in(world, served.place.province)
        return {"lodging": Lodging.HOME, "residence_postcode": place.postcode}
    if order.lodging in _MOVABLE and dice.chance(figures.address_changed):
        near = dice.chance(figures.same_province)
        place = (
            places.residence_in(world, served.place.province)
            if near
            else places.residence_anywhere(world)
        )
        return {"lodging": Lodging.HOME, "residence_postcode": place.postcode}
    return {}
