"""One case's true history: every order and what followed, in the order in which it was said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from schemas.events import AppointmentMissed, OqtIssued
from streams.simulate import days, orders, trajectory
from streams.simulate.circumstances import draw_circumstances
from streams.simulate.corrections import corrected
from streams.simulate.event import INTERVIEWS, ORDERS, SimulatedEvent, World, emit
from streams.simulate.figures import Ending
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
    events: tuple[SimulatedEvent, ...]
    next_orders: tuple[date, ...]
    """Belgian days on which orders after the first were notified."""


def draw(world: World, day: date, *, repeat: bool) -> History:
    """Return the history of a case whose first order is notified on ``day``.

    ``repeat``: the person had an order before the stream began. Time has no end here: a history
    runs to its natural end, months after ``day``.
    """
    case_id, who = world.dice.token("case"), orders.person(world)
    first = served = orders.serve(world, who, day, repeat=repeat)
    said, next_orders = list[SimulatedEvent](), list[date]()
    while True:
        episode, ending = _episode(world, served)
        said = [*_until(said, served.order.notified_at), *episode]
        upcoming = None if ending in _SETTLED else _next_order(world, served)
        if upcoming is None:
            break
        next_orders.append(upcoming)
        served = orders.serve(world, who, upcoming, repeat=True)
    said.sort(key=lambda simulated: (simulated.time, simulated.event_id))
    return History(case_id, day, first.order.notified_at, tuple(said), tuple(next_orders))


def _episode(world: World, served: Served) -> tuple[list[SimulatedEvent], Ending | None]:
    """Return what follows from one order, and how its counselling ended."""
    followed = trajectory.follow(world, served)
    later = [
        *followed.events,
        *draw_circumstances(world, served, followed),
        *corrected(world, served),
    ]
    order = emit(world, ORDERS, served.order, served.order.notified_at, mean=timedelta(hours=5))
    if later and world.dice.chance(world.figures.volumes.order_after_facts):
        first = min(simulated.time for simulated in later)
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


def _until(said: list[SimulatedEvent], cut: datetime) -> Iterator[SimulatedEvent]:
    """Yield what still holds of earlier orders once a next one is notified at ``cut``.

    Its planned appointments lapse; corrections of misses still come, and circumstances run on.
    """
    for simulated in said:
        event = simulated.event
        if isinstance(event, AppointmentMissed):
            stands = event.scheduled_at < cut
        elif isinstance(event, OqtIssued) or simulated.source == INTERVIEWS:
            stands = simulated.time < cut
        else:
            stands = True
        if stands:
            yield simulated
