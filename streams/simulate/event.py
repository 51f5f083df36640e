"""A simulated event, and the inputs of every draw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from schemas.events import Event
from streams.simulate.dice import Dice
from streams.simulate.figures import Figures

ORDERS: Final = "/be/oe/orders"
APPOINTMENTS: Final = "/be/oe/icam/appointments"
INTERVIEWS: Final = "/be/oe/icam/interviews"
ANSWERS: Final = "/be/oe/icam/answers"
ENDS: Final = "/be/oe/icam/follow-up"
DECISIONS: Final = "/be/oe/decisions"


@dataclass(frozen=True, slots=True)
class World:
    """Inputs of every draw: the figures and one source of random numbers."""

    figures: Figures
    dice: Dice


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """One fact, or one correction of a fact, as its producer reports it.

    ``time`` is the CloudEvents time in UTC: when the fact is reported, after it happened.
    ``extra_delay`` is added to the usual delay before the producer publishes it.
    """

    time: datetime
    source: str
    event_id: UUID
    event: Event
    extra_delay: timedelta = timedelta(0)


def emit(
    world: World,
    source: str,
    event: Event,
    after: datetime,
    *,
    mean: timedelta = timedelta(hours=2),
    most: timedelta = timedelta(hours=30),
) -> SimulatedEvent:
    """Return ``event``, reported an exponential delay after ``after``, at most ``most``."""
    return SimulatedEvent(after + world.dice.soon(mean, most), source, world.dice.uuid(), event)
