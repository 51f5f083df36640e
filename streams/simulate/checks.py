"""Draw checks that an official reports clear, without a circumstance that began."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from schemas.codes import Guard
from schemas.events import CircumstanceChanged, CircumstanceState, HouseholdKind
from streams.simulate.event import DECISIONS, SimulatedEvent, World, emit
from streams.simulate.orders import ServedOrder


def draw_checks(world: World, served: ServedOrder) -> Iterator[SimulatedEvent]:
    """Yield the report that no removal would expose the person to treatment that is forbidden.

    An end without a begin says that the check was made and that nothing stands in the way.
    """
    figures, dice = world.figures.checks, world.dice
    if served.order.household.kind is HouseholdKind.UNACCOMPANIED_MINOR:
        return
    if dice.chance(figures.non_refoulement_clear):
        low, high = (timedelta(days=count) for count in figures.after_days)
        event = CircumstanceChanged(
            order_id=served.order.order_id,
            circumstance=Guard.NON_REFOULEMENT_CHECK_MISSING,
            state=CircumstanceState.ENDS,
            effective_at=served.order.notified_at + dice.lasting(low, high),
            reference=dice.token("check"),
        )
        yield emit(world, DECISIONS, event, event.effective_at)
