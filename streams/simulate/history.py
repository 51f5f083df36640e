"""Draw the true history of one case: its orders and all that followed, by CloudEvents time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from streams.simulate import days, ends, orders, trajectory
from streams.simulate.answers import draw_stray_answers
from streams.simulate.checks import draw_checks
from streams.simulate.circumstances import draw_circumstances
from streams.simulate.corrections import draw_corrections
from streams.simulate.ends import ReportedEnd
from streams.simulate.event import ORDERS, SimulatedEvent, World
from streams.simulate.orders import ServedOrder

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
    orders: tuple[ServedOrder, ...]
    """The orders by ascending notification."""

    @property
    def further_orders(self) -> tuple[date, ...]:
        """Belgian days on which orders after the first were notified."""
        return tuple(days.local_day(served.order.notified_at) for served in self.orders[1:])


def draw(world: World, day: date, *, repeat: bool) -> History:
    """Return the history of a case whose first order is notified on ``day``.

    ``repeat``: the person had an order before the stream began. A history is not cut at the end of
    the stream; it may run for months after ``day``.
    """
    case_id, person = world.dice.token("case"), orders.draw_person(world)
    served = orders.serve(world, person, day, repeat=repeat)
    events, all_served = list[SimulatedEvent](), [served]
    end: ReportedEnd | None = None
    while True:
        notified_at = served.order.notified_at
        events = list(still_valid(events, notified_at))
        if end is not None and end.simulated in events and end.event.order_id is None:
            events.append(ends.reopened(world, end.event, notified_at))
        of_this_order, end = _events_of_order(world, served)
        events += of_this_order
        final = end is not None and end.event.reason in ends.FINAL
        next_day = None if final else _day_of_next_order(world, served)
        if next_day is None:
            break
        served = orders.serve(world, person, next_day, repeat=True)
        all_served.append(served)
    if end is not None:
        events.extend(ends.draw_reopening(world, end))
    events.sort(key=lambda simulated: (simulated.time, simulated.event_id))
    notified_at = all_served[0].order.notified_at
    return History(case_id, day, notified_at, tuple(events), tuple(all_served))


def _events_of_order(
    world: World, served: ServedOrder
) -> tuple[list[SimulatedEvent], ReportedEnd | None]:
    """Return the events of one order, and the end of its follow-up among them."""
    counselling = trajectory.draw_trajectory(world, served)
    later = [
        *counselling.events,
        *draw_circumstances(world, served, counselling),
        *draw_corrections(world, served),
        *draw_checks(world, served),
        *draw_stray_answers(world, served),
    ]
    end = ends.draw_end(world, served, counselling, later)
    if end is not None:
        later = [*still_valid(later, end.event.effective_at), end.simulated]
    order = SimulatedEvent(served.reported_at, ORDERS, world.dice.uuid(), served.order)
    if later and world.dice.chance(world.figures.volumes.order_after_facts):
        first = min(simulated.time for simulated in later)
        delay = max(first - order.time, timedelta(0)) + timedelta(hours=world.dice.whole(1, 48))
        order = replace(order, extra_delay=delay)
    return [order, *later], end


def _day_of_next_order(world: World, served: ServedOrder) -> date | None:
    volumes, dice = world.figures.volumes, world.dice
    if not dice.chance(volumes.reorder_share):
        return None
    wait = dice.lognormal(volumes.reorder_median_days, volumes.reorder_sigma)
    day = days.local_day(served.order.notified_at)
    return days.working_from(day + timedelta(days=max(_LEAST_DAYS_BETWEEN_ORDERS, round(wait))))


def still_valid(events: Iterable[SimulatedEvent], cut: datetime) -> Iterator[SimulatedEvent]:
    """Yield the events that still happen after an order or an end of the follow-up at ``cut``.

    Planned appointments and an end that was not yet reported lapse. Misses before ``cut`` can still
    be corrected after it, and circumstances continue.
    """
    for simulated in events:
        event = simulated.event
        match event:
            case AppointmentMissed():
                valid = event.scheduled_at < cut
            case (
                OqtIssued()
                | InterviewCompleted()
                | AppointmentPlanned()
                | ProposalAnswered()
                | FollowUpEnded()
            ):
                valid = simulated.time < cut
            case CircumstanceChanged():
                valid = True
            case _:
                assert_never(event)
        if valid:
            yield simulated
