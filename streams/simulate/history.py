"""One case's true history: every order and what followed, in the order in which it was said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from schemas.events import AppointmentMissed, OqtIssued
from streams.simulate import days, orders, trajectory
from streams.simulate.circumstances import befall
from streams.simulate.corrections import corrected
from streams.simulate.figures import Ending
from streams.simulate.happening import INTERVIEWS, ORDERS, Happening, World, say
from streams.simulate.orders import Served

_SETTLED: Final = (Ending.VOLUNTARY_RETURN, Ending.RESIDENCE_PROCEDURE)
"""After these no next order is drawn."""

_SOONEST: Final = 10
"""Days before which a next order is not drawn."""


@dataclass(frozen=True, slots=True)
class History:
    """Everything that is ever said about one case, by ascending CloudEvents time."""

    case_id: str
    day: date
    """Belgian day on which the first order was notified."""
    notified_at: datetime
    """When the first order was notified; nothing is said before."""
    happenings: tuple[Happening, ...]
    next_orders: tuple[date, ...]
    """Belgian days on which orders after the first were notified."""


def draw(world: World, day: date, *, repeat: bool) -> History:
    """Return the history of a case whose first order is notified on ``day``.

    ``repeat``: the person had an order before the stream began. Time has no end here: a history
    runs to its natural end, months after ``day``.
    """
    case_id, who = world.dice.token("case"), orders.person(world)
    first = served = orders.serve(world, who, day, repeat=repeat)
    said, next_orders = list[Happening](), list[date]()
    while True:
        episode, ending = _episode(world, served)
        said = [*_until(said, served.order.notified_at), *episode]
        upcoming = None if ending in _SETTLED else _next_order(world, served)
        if upcoming is None:
            break
        next_orders.append(upcoming)
        served = orders.serve(world, who, upcoming, repeat=True)
    said.sort(key=lambda happening: (happening.time, happening.event_id))
    return History(case_id, day, first.order.notified_at, tuple(said), tuple(next_orders))


def _episode(world: World, served: Served) -> tuple[list[Happening], Ending | None]:
    """Return what follows from one order, and how its counselling ended."""
    followed = trajectory.follow(world, served)
    later = [*followed.happenings, *befall(world, served, followed), *corrected(world, served)]
    order = say(world, ORDERS, served.order, served.order.notified_at, mean=timedelta(hours=5))
    if later and world.dice.chance(world.figures.volumes.order_after_facts):
        first = min(happening.time for happening in later)
        lag = max(first - order.time, timedelta(0)) + timedelta(hours=world.dice.whole(1, 48))
        order = replace(order, held_back=lag)
    return [order, *later], followed.ending


def _next_order(world: World, served: Served) -> date | None:
    volumes, dice = world.figures.volumes, world.dice
    if not dice.chance(volumes.reorder_share):
        return None
    wait = dice.lognormal(volumes.reorder_median_days, volumes.reorder_sigma)
    day = days.local_day(served.order.notified_at)
    return days.working_from(day + timedelta(days=max(_SOONEST, round(wait))))


def _until(said: list[Happening], cut: datetime) -> Iterator[Happening]:
    """Yield what still holds of earlier orders once a next one is notified at ``cut``.

    Its planned appointments lapse; corrections of misses still come, and circumstances run on.
    """
    for happening in said:
        event = happening.event
        if isinstance(event, AppointmentMissed):
            stands = event.scheduled_at < cut
        elif isinstance(event, OqtIssued) or happening.source == INTERVIEWS:
            stands = happening.time < cut
        else:
            stands = True
        if stands:
            yield happening
