"""Generate the stream: draw cases day by day and yield their records in order of publication."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from heapq import heappop, heappush

from streams.simulate import days, history
from streams.simulate.dice import Dice
from streams.simulate.event import World
from streams.simulate.figures import Figures, Volumes
from streams.simulate.history import History
from streams.simulate.loading import published_figures
from streams.simulate.publishing import Kind, Planned, publish
from streams.simulate.settings import SimulationSettings

__all__ = ["Kind", "Planned", "SimulationSettings", "histories", "stream"]


def stream(settings: SimulationSettings, figures: Figures | None = None) -> Iterator[Planned]:
    """Yield the records of the window by ascending publication instant.

    Equal settings give equal bytes. Memory holds only the unpublished records of the cases drawn so
    far.
    """
    faults = Dice(settings.seed, "faults")
    unpublished: list[tuple[float, int, Planned]] = []
    count = 0
    for case in histories(settings, figures):
        # No record of a case is published_figures before the day on which the case begins.
        start_of_day = days.at(case.day, 0).timestamp()
        while unpublished and unpublished[0][0] < start_of_day:
            yield heappop(unpublished)[2]
        for planned in publish(settings, faults, case):
            heappush(unpublished, (planned.at.timestamp(), count, planned))
            count += 1
    while unpublished:
        yield heappop(unpublished)[2]


def histories(settings: SimulationSettings, figures: Figures | None = None) -> Iterator[History]:
    """Yield the true histories behind the stream by the day on which they begin.

    Histories are complete: they include events after the end of the window.
    """
    world = World(figures or published_figures(), Dice(settings.seed, "histories"))
    further_orders, begun = Counter[date](), 0
    day, last = days.local_day(settings.start), days.local_day(settings.end)
    while day <= last:
        for repeat in _new_cases(world, settings.scale, day, further_orders.pop(day, 0)):
            if begun == settings.cases:
                return
            case = history.draw(world, day, repeat=repeat)
            further_orders.update(case.further_orders)
            if settings.start <= case.notified_at <= settings.end:
                begun += 1
                yield case
        day += timedelta(days=1)


def _new_cases(world: World, scale: float, day: date, further: int) -> Iterator[bool]:
    """Yield, for each case that begins on ``day``, whether its order is a repeat order.

    ``further`` orders of that day belong to cases that began earlier; they replace as many of the
    day's repeat orders.
    """
    volumes = world.figures.volumes
    for _ in range(world.dice.poisson(_expected(volumes, scale, day))):
        repeat = world.dice.chance(volumes.repeat_share)
        if repeat and further > 0:
            further -= 1
        else:
            yield repeat


def _expected(volumes: Volumes, scale: float, day: date) -> float:
    day_factor = 1.0 if days.is_working(day) else volumes.closed_day_factor
    return volumes.orders_per_working_day * scale * day_factor
