"""What befalls a person beside the counselling: procedures and states that begin and often end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from schemas.events import CircumstanceChanged, CircumstanceState, OqtIssued
from schemas.types import Guard
from streams.simulate.event import SimulatedEvent, World, emit
from streams.simulate.figures import CircumstanceFigures, Ending
from streams.simulate.orders import Served
from streams.simulate.trajectory import Trajectory

_OF_THE_ORDER: Final = (
    Guard.APPEAL_SUSPENSIVE_PENDING,
    Guard.EXTENSION_GRANTED,
    Guard.SCHOOL_TERM_SUSPENSION,
)
"""These name the order they belong to; the others concern the person whatever the order."""

_BROUGHT_BY: Final = {
    Ending.VOLUNTARY_RETURN: Guard.VOLUNTARY_RETURN_IN_PROGRESS,
    Ending.RESIDENCE_PROCEDURE: Guard.NEW_RESIDENCE_PROCEDURE,
    Ending.APPEAL: Guard.APPEAL_SUSPENSIVE_PENDING,
}
"""What the end of a counselling brings with it."""


def draw_circumstances(
    world: World, served: Served, trajectory: Trajectory
) -> Iterator[SimulatedEvent]:
    """Yield begins and ends: by chance under any order, and as the end of the counselling."""
    brought = _BROUGHT_BY.get(trajectory.ending) if trajectory.ending else None
    for figures in world.figures.circumstances:
        if figures.guard is brought and trajectory.ended_at is not None:
            delay = world.dice.lasting(timedelta(hours=2), timedelta(days=10))
            yield from _one(world, served.order, figures, trajectory.ended_at + delay)
        elif _concerns(figures, served.order) and world.dice.chance(figures.share):
            begins = served.order.notified_at + _some_days(world, figures.begins)
            yield from _one(world, served.order, figures, begins)


def _concerns(figures: CircumstanceFigures, order: OqtIssued) -> bool:
    of_the_kind = figures.household in (None, order.household.kind)
    return of_the_kind and order.notified_at.month in figures.months


def _one(
    world: World, order: OqtIssued, figures: CircumstanceFigures, begins: datetime
) -> Iterator[SimulatedEvent]:
    event = CircumstanceChanged(
        order_id=order.order_id if figures.guard in _OF_THE_ORDER else None,
        circumstance=figures.guard,
        state=CircumstanceState.BEGINS,
        effective_at=begins,
        reference=world.dice.token("proc"),
    )
    yield _told(world, figures, event)
    if world.dice.chance(figures.ends_share):
        ends = begins + _some_days(world, figures.lasts)
        state = CircumstanceState.ENDS
        yield _told(world, figures, event.model_copy(update={"state": state, "effective_at": ends}))


def _told(world: World, figures: CircumstanceFigures, event: CircumstanceChanged) -> SimulatedEvent:
    return emit(
        world,
        figures.feed,
        event,
        event.effective_at,
        mean=timedelta(hours=18),
        most=timedelta(days=5),
    )


def _some_days(world: World, span: tuple[int, int]) -> timedelta:
    low, high = span
    return world.dice.lasting(timedelta(days=low, hours=1), timedelta(days=high, hours=8))
