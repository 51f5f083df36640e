"""From a true history to records: when each is published, how it is written, what goes wrong.

Faults are drawn whether or not a record falls inside the window, so a later end of the stream adds
records and changes none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from schemas.codec import Outgoing, encode
from schemas.envelope import STRUCTURED, Envelope, write_structured
from streams.simulate.dice import Dice
from streams.simulate.event import SimulatedEvent
from streams.simulate.flaws import FLAWS, Flaw, spoil
from streams.simulate.history import History
from streams.simulate.settings import SimulationSettings

ON_REAL_CASES: Final = 0.06
"""Share of malformed records on real cases (inferred): an open dead letter blocks a case."""

_USUAL: Final = (timedelta(seconds=20), timedelta(minutes=15))
_OVERTAKEN: Final = (timedelta(minutes=10), timedelta(hours=6))
_NEIGHBOUR: Final = timedelta(days=7)
_LATE: Final = (timedelta(days=1), timedelta(days=10))
_AGAIN: Final = (timedelta(minutes=20), timedelta(days=2))
_SPOILT: Final = (timedelta(minutes=1), timedelta(hours=1))


class Kind(StrEnum):
    """What a planned record is."""

    VALID = "valid"
    DUPLICATE = "duplicate"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Planned:
    """One record and when it is published, in UTC."""

    at: datetime
    record: Outgoing
    case_id: str
    """The case it belongs to; for a malformed record the one it claims, real or not."""
    kind: Kind
    flaw: Flaw | None = None
    """What is wrong with it; None unless malformed."""


def publish(settings: SimulationSettings, dice: Dice, history: History) -> Iterator[Planned]:
    """Yield the records of one case inside the window, in no order."""
    events = history.events
    for count, simulated in enumerate(events):
        successor = events[count + 1] if count + 1 < len(events) else None
        at = _published_at(settings, dice, simulated, successor)
        structured = dice.chance(settings.structured)
        again = dice.soon(*_AGAIN) if dice.chance(settings.duplicates) else None
        spoilt = dice.chance(settings.malformed)
        if simulated.time <= settings.end and at <= settings.end:
            record = _write(history.case_id, simulated, structured=structured)
            yield Planned(at, record, history.case_id, Kind.VALID)
            if again is not None and at + again <= settings.end:
                yield Planned(at + again, record, history.case_id, Kind.DUPLICATE)
        if spoilt:
            planned = _malformed(dice, history.case_id, simulated, at)
            if planned.at <= settings.end and simulated.time <= settings.end:
                yield planned


def _published_at(
    settings: SimulationSettings,
    dice: Dice,
    simulated: SimulatedEvent,
    successor: SimulatedEvent | None,
) -> datetime:
    at = simulated.time + simulated.held_back + dice.soon(*_USUAL)
    if dice.chance(settings.late):
        at += dice.lasting(*_LATE)
    if dice.chance(settings.disorder):
        near = successor is not None and successor.time - simulated.time < _NEIGHBOUR
        if successor is not None and near:
            at = max(at, successor.time)
        at += dice.lasting(*_OVERTAKEN)
    return at


def _write(case_id: str, simulated: SimulatedEvent, *, structured: bool) -> Outgoing:
    event, time = simulated.event, simulated.time
    record = encode(
        event, event_id=simulated.event_id, case_id=case_id, source=simulated.source, time=time
    )
    if not structured:
        return record
    envelope = Envelope(
        id=simulated.event_id,
        source=simulated.source,
        type=record.topic,
        time=time,
        subject=case_id,
    )
    value = write_structured(envelope, json.loads(record.value))
    return Outgoing(record.topic, record.key, value, (("content-type", STRUCTURED.encode()),))


def _malformed(dice: Dice, case_id: str, simulated: SimulatedEvent, at: datetime) -> Planned:
    """Return a spoilt record like ``simulated``, an hour older, published after it.

    A reused id stays on its own case: the same key keeps it behind the record whose id it takes.
    """
    flaw = dice.one(FLAWS)
    reused = flaw is Flaw.ID_REUSED
    real = dice.chance(ON_REAL_CASES) or reused
    claimed = case_id if real else dice.token("case")
    record = spoil(
        flaw,
        dice,
        simulated.event,
        event_id=simulated.event_id if reused else dice.uuid(),
        case_id=claimed,
        source=simulated.source,
        time=simulated.time - timedelta(hours=1),
    )
    later = at + dice.lasting(*_SPOILT)
    return Planned(later, record, claimed, Kind.MALFORMED, flaw)
