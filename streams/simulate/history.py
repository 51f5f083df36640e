"""Draw the true history of one case: its orders and all that followed, by CloudEvents time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, assert_never

from schemas.events import (
    AppointmentMissed,
    AppointmentPlanned,
    CircumstanceChanged,
    FollowUpEnded,
    InterviewCompleted,
    OqtIssued,
    ProposalAnswered,
)
from streams.simulate import days, orders, trajectory
from streams.simulate.circumstances import draw_circumstances
from streams.simulate.corrections import draw_corrections
from streams.simulate.event import ORDERS, SimulatedEvent, World, emit
from streams.simulate.figures import Ending
from streams.simulate.orders import ServedOrder

_SETTLED: Final = (Ending.VOLUNTARY_RETURN, Ending.RESIDENCE_PROCEDURE)
"""Endings after which no further order is drawn."""

_LEAST_DAYS_BETWEEN_ORDERS: Final = 10


@dataclass(frozen=True, slots=True)
class History:
    """All events of one case, by ascending CloudEvents time."""

    case_id: str
    day: date
    """Belgian day on which the first order was notified."""
    notified_at: datetime
    """When the first order was notified; no event is earlier."""
    events: tuple[SimulatedEvent, ...]
    further_orders: tuple[date, ...]
    """Belgian days on which orders after the first were notified."""


def draw(world: World, day: date, *, repeat: bool) -> History:
    """Return the history of a case whose first order is notified on ``day``.

    ``repeat``: the person had an order before the stream began. A history is not cut at the end of
    the stream; it may run for months after ``day``.
    """
    case_id, person = world.dice.token("case"), orders.draw_person(world)
    first = served = orders.serve(world, person, day, repeat=repeat)
    events, further_orders = list[SimulatedEvent](), list[date]()
    while True:
        of_this_order, ending = _events_of_order(world, served)
        events = [*_still_valid(events, served.order.notified_at), *of_this_order]
        next_day = None if ending in _SETTLED else _day_of_next_order(world, served)
        if next_day is None:
            break
        further_orders.append(next_day)
        served = orders.serve(world, person, next_day, repeat=True)
    events.sort(key=lambda simulated: (simulated.time, simulated.event_id))
    return History(case_id, day, first.order.notified_at, tuple(events), tuple(further_orders))


def _events_of_order(
    world: World, served: ServedOrder
) -> tuple[list[SimulatedEvent], Ending | None]:
    """Return the events of one order, and the ending of its counselling."""
    counselling = trajectory.draw_trajectory(world, served)
    later = [
        *counselling.events,
        *draw_circumstances(world, served, counselling),
        *draw_corrections(world, served),
    ]
    order = emit(world, ORDERS, served.order, served.order.notified_at, mean=timedelta(hours=5))
    if later and world.dice.chance(world.figures.volumes.order_after_facts):
        first = min(simulated.time for simulated in later)
        delay = max(first - order.time, timedelta(0)) + timedelta(hours=world.dice.whole(1, 48))
        order = replace(order, extra_delay=delay)
    return [order, *later], counselling.ending


def _day_of_next_order(world: World, served: ServedOrder) -> date | None:
    volumes, dice = world.figures.volumes, world.dice
    if not dice.chance(volumes.reorder_share):
        return None
    wait = dice.lognormal(volumes.reorder_median_days, volumes.reorder_sigma)
    day = days.local_day(served.order.notified_at)
    return days.working_from(day + timedelta(days=max(_LEAST_DAYS_BETWEEN_ORDERS, round(wait))))


def _still_valid(events: list[SimulatedEvent], cut: datetime) -> Iterator[SimulatedEvent]:
    """Yield the events of earlier orders that still happen after an order is notified at ``cut``.

    Planned appointments lapse. Misses before ``cut`` can still be corrected after it, and
    circumstances continue.
    """
    for simulated in events:
        event = simulated.event
        match event:
            case AppointmentMissed():
                valid = event.scheduled_at < cut
            case OqtIssued() | InterviewCompleted() | AppointmentPlanned() | ProposalAnswered():
                valid = simulated.time < cut
            case CircumstanceChanged() | FollowUpEnded():
                valid = True
            case _:
                assert_never(event)
        if valid:
            yield simulated
