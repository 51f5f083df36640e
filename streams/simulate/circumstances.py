"""Draw circumstances: procedures and states that begin, and often end, during the counselling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from schemas.codes import Guard
from schemas.events import CircumstanceChanged, CircumstanceState, OqtIssued
from streams.simulate.event import SimulatedEvent, World, emit
from streams.simulate.figures import CircumstanceFigures, Ending
from streams.simulate.orders import ServedOrder
from streams.simulate.trajectory import Trajectory

_OF_ONE_ORDER: Final = (
    Guard.APPEAL_SUSPENSIVE_PENDING,
    Guard.EXTENSION_GRANTED,
    Guard.SCHOOL_TERM_SUSPENSION,
)
"""Circumstances that belong to one order and name it. The others concern the person."""

_CAUSED_BY: Final = {
    Ending.VOLUNTARY_RETURN: Guard.VOLUNTARY_RETURN_IN_PROGRESS,
    Ending.RESIDENCE_PROCEDURE: Guard.NEW_RESIDENCE_PROCEDURE,
    Ending.APPEAL: Guard.APPEAL_SUSPENSIVE_PENDING,
}
"""The circumstance that begins because a counselling ended in this way."""


def draw_circumstances(
    world: World, served: ServedOrder, trajectory: Trajectory
) -> Iterator[SimulatedEvent]:
    """Yield begin and end events of circumstances drawn by chance or caused by the ending."""
    caused = _caused_by(trajectory)
    for figures in world.figures.circumstances:
        if figures.guard is caused:
            yield from draw_caused(world, served, trajectory)
        elif _can_occur(figures, served.order) and world.dice.chance(figures.share):
            begins = served.order.notified_at + _some_days(world, figures.begins)
            yield from _circumstance(world, served.order, figures, begins)


def draw_caused(
    world: World, served: ServedOrder, trajectory: Trajectory
) -> Iterator[SimulatedEvent]:
    """Yield begin and end of the circumstance that the ending of the counselling causes, if any."""
    caused = _caused_by(trajectory)
    for figures in world.figures.circumstances:
        if figures.guard is caused and trajectory.ended_at is not None:
            delay = world.dice.lasting(timedelta(hours=2), timedelta(days=10))
            yield from _circumstance(world, served.order, figures, trajectory.ended_at + delay)


def _caused_by(trajectory: Trajectory) -> Guard | None:
    return _CAUSED_BY.get(trajectory.ending) if trajectory.ending else None


def _can_occur(figures: CircumstanceFigures, order: OqtIssued) -> bool:
    household_matches = figures.household in (None, order.household.kind)
    return household_matches and order.notified_at.month in figures.months


def _circumstance(
    world: World, order: OqtIssued, figures: CircumstanceFigures, begins: datetime
) -> Iterator[SimulatedEvent]:
    event = CircumstanceChanged(
        order_id=order.order_id if figures.guard in _OF_ONE_ORDER else None,
        circumstance=figures.guard,
        state=CircumstanceState.BEGINS,
        effective_at=begins,
        reference=world.dice.token("proc"),
    )
    yield _reported(world, figures, event)
    if world.dice.chance(figures.ends_share):
        ends = begins + _some_days(world, figures.lasts)
        ended = replace(
            event,
            state=CircumstanceState.ENDS,
            effective_at=ends,
            outcome=world.dice.one(figures.outcome) if figures.outcome else None,
        )
        yield _reported(world, figures, ended)


def _reported(
    world: World, figures: CircumstanceFigures, event: CircumstanceChanged
) -> SimulatedEvent:
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
