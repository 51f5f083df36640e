"""One thing that a producing system says, and what histories are drawn from."""

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


@dataclass(frozen=True, slots=True)
class World:
    """What a history is drawn from: the figures and one source of chance."""

    figures: Figures
    dice: Dice


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """One fact, or one correction of a fact, as its producing system says it.

    ``time`` is the CloudEvents time, in UTC: when it is said, after what it speaks of.
    ``held_back`` is how long the producing system sits on it on top of any usual delay.
    """

    time: datetime
    source: str
    event_id: UUID
    event: Event
    held_back: timedelta = timedelta(0)


def emit(
    world: World,
    source: str,
    event: Event,
    after: datetime,
    *,
    mean: timedelta = timedelta(hours=2),
    most: timedelta = timedelta(hours=30),
) -> SimulatedEvent:
    """Return ``event`` said some time after ``after``; exponential, ``mean``, at most ``most``."""
    return SimulatedEvent(after + world.dice.soon(mean, most), source, world.dice.uuid(), event)
