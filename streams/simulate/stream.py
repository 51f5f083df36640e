"""The stream: day by day, cases begin; their records leave a heap in the order of publication."""

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
from streams.simulate.loading import published
from streams.simulate.publishing import Kind, Planned, publish
from streams.simulate.settings import SimulationSettings

__all__ = ["Kind", "Planned", "SimulationSettings", "histories", "stream"]


def stream(settings: SimulationSettings, figures: Figures | None = None) -> Iterator[Planned]:
    """Yield the records of the window by ascending publication instant.

    The same settings give the same records, byte for byte. Memory holds only the records still to
    be published of the cases begun so far.
    """
    faults = Dice(settings.seed, "faults")
    waiting: list[tuple[float, int, Planned]] = []
    count = 0
    for case in histories(settings, figures):
        # Nothing about a case is published before the day on which it begins.
        dawn = days.at(case.day, 0).timestamp()
        while waiting and waiting[0][0] < dawn:
            yield heappop(waiting)[2]
        for planned in publish(settings, faults, case):
            heappush(waiting, (planned.at.timestamp(), count, planned))
            count += 1
    while waiting:
        yield heappop(waiting)[2]


def histories(settings: SimulationSettings, figures: Figures | None = None) -> Iterator[History]:
    """Yield the true histories behind the stream by the day on which they begin.

    They are whole: what happens after the end of the window is part of them.
    """
    world = World(figures or published(), Dice(settings.seed, "histories"))
    come_back, begun = Counter[date](), 0
    day, last = days.local_day(settings.start), days.local_day(settings.end)
    while day <= last:
        for repeat in _first_seen(world, settings.scale, day, come_back.pop(day, 0)):
            if begun == settings.cases:
                return
            case = history.draw(world, day, repeat=repeat)
            come_back.update(case.next_orders)
            if settings.start <= case.notified_at <= settings.end:
                begun += 1
                yield case
        day += timedelta(days=1)


def _first_seen(world: World, scale: float, day: date, returning: int) -> Iterator[bool]:
    """Yield, for each case that begins on ``day``, whether its order is a repeat one.

    Next orders of cases begun earlier, ``returning`` of them, are taken out of the day's repeats.
    """
    volumes = world.figures.volumes
    for _ in range(world.dice.poisson(_expected(volumes, scale, day))):
        repeat = world.dice.chance(volumes.repeat_share)
        if repeat and returning > 0:
            returning -= 1
        else:
            yield repeat


def _expected(volumes: Volumes, scale: float, day: date) -> float:
    open_or_not = 1.0 if days.is_working(day) else volumes.closed_day_factor
    return volumes.orders_per_working_day * scale * open_or_not
