"""Turn a true history into records: publication instant, encoding and faults.

Faults are also drawn for records outside the window, so a later end of the stream adds records and
changes none.
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
from streams.simulate.flaws import FLAWS, Flaw, malformed_record
from streams.simulate.history import History
from streams.simulate.settings import SimulationSettings

ON_REAL_CASES: Final = 0.06
"""Share of malformed records that name a real case (inferred). Low, because an open dead letter
blocks the escalation of its case."""

_USUAL_DELAY: Final = (timedelta(seconds=20), timedelta(minutes=15))
_DISORDER_DELAY: Final = (timedelta(minutes=10), timedelta(hours=6))
_OVERTAKEN_WITHIN: Final = timedelta(days=7)
_LATE_DELAY: Final = (timedelta(days=1), timedelta(days=10))
_DUPLICATE_DELAY: Final = (timedelta(minutes=20), timedelta(days=2))
_MALFORMED_DELAY: Final = (timedelta(minutes=1), timedelta(hours=1))


class Kind(StrEnum):
    """Kind of a planned record."""

    VALID = "valid"
    DUPLICATE = "duplicate"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Planned:
    """One record and its publication instant, in UTC."""

    at: datetime
    record: Outgoing
    case_id: str
    """The case of the record; for a malformed record the case it names, real or not."""
    kind: Kind
    flaw: Flaw | None = None
    """Flaw of a malformed record; None for the other kinds."""


def publish(settings: SimulationSettings, dice: Dice, history: History) -> Iterator[Planned]:
    """Yield the records of one case inside the window, unordered."""
    events = history.events
    for count, simulated in enumerate(events):
        successor = events[count + 1] if count + 1 < len(events) else None
        at = _published_at(settings, dice, simulated, successor)
        structured = dice.chance(settings.structured)
        duplicate_after = dice.soon(*_DUPLICATE_DELAY) if dice.chance(settings.duplicates) else None
        add_malformed = dice.chance(settings.malformed)
        if simulated.time <= settings.end and at <= settings.end:
            record = _write(history.case_id, simulated, structured=structured)
            yield Planned(at, record, history.case_id, Kind.VALID)
            if duplicate_after is not None and at + duplicate_after <= settings.end:
                yield Planned(at + duplicate_after, record, history.case_id, Kind.DUPLICATE)
        if add_malformed:
            planned = _malformed(dice, history.case_id, simulated, at)
            if planned.at <= settings.end and simulated.time <= settings.end:
                yield planned


def _published_at(
    settings: SimulationSettings,
    dice: Dice,
    simulated: SimulatedEvent,
    successor: SimulatedEvent | None,
) -> datetime:
    at = simulated.time + simulated.extra_delay + dice.soon(*_USUAL_DELAY)
    if dice.chance(settings.late):
        at += dice.lasting(*_LATE_DELAY)
    if dice.chance(settings.disorder):
        if successor is not None and successor.time - simulated.time < _OVERTAKEN_WITHIN:
            at = max(at, successor.time)
        at += dice.lasting(*_DISORDER_DELAY)
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
    """Return a malformed record like ``simulated``, an hour older, published after it.

    A record that reuses an id names the same case: with the same key it stays behind the record
    whose id it reuses.
    """
    flaw = dice.one(FLAWS)
    reused = flaw is Flaw.ID_REUSED
    named = case_id if dice.chance(ON_REAL_CASES) or reused else dice.token("case")
    record = malformed_record(
        flaw,
        dice,
        simulated.event,
        event_id=simulated.event_id if reused else dice.uuid(),
        case_id=named,
        source=simulated.source,
        time=simulated.time - timedelta(hours=1),
    )
    published_at = at + dice.lasting(*_MALFORMED_DELAY)
    return Planned(published_at, record, named, Kind.MALFORMED, flaw)
