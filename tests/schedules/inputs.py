"""The records that upstream systems publish in a run: realistic histories with many flaws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from schemas.codec import Decoded, Outgoing, decode
from schemas.rejected import Reason
from streams.simulate.dice import Dice
from streams.simulate.flaws import FLAWS, REASON, Flaw, malformed_record
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import Kind, Planned, stream

START: Final = datetime(2026, 3, 2, 7, tzinfo=UTC)
END: Final = START + timedelta(days=150)
_SPOILT_SHARE: Final = 0.06
_MEETING_SHARE: Final = 0.3
"""Share of the cases whose first event meets a record of the case that can't be applied."""


@dataclass(frozen=True, slots=True)
class Input:
    """One record, its publishing time, and its expected result."""

    at: datetime
    record: Outgoing
    event: Decoded | None
    """The event of the record; for a reused id, the event that must not be ingested."""
    reason: Reason | None
    """The expected dead-letter reason; None if it must be in the log."""


def inputs(seed: int, cases: int) -> list[Input]:
    """Return the records of a run in publishing order."""
    settings = SimulationSettings(
        start=START,
        end=END,
        seed=seed,
        cases=cases,
        disorder=0.15,
        duplicates=0.15,
        late=0.08,
        malformed=0.06,
        structured=0.2,
    )
    dice = Dice(seed, "spoilt")
    made: list[Input] = []
    known: set[str] = set()
    for planned in stream(settings):
        event = _event(planned)
        first = event is not None and event.case_id not in known
        if event is not None:
            known.add(event.case_id)
        reason = REASON[planned.flaw] if planned.flaw is not None else None
        made.append(Input(planned.at, planned.record, event, reason))
        if planned.kind is Kind.VALID and event is not None and dice.chance(_SPOILT_SHARE):
            made.append(_spoilt(dice, planned, event, sorted(known)))
        if first and event is not None and dice.chance(_MEETING_SHARE):
            made.append(_meeting(dice, planned, event))
    made.sort(key=lambda item: item.at)
    return made


def _event(planned: Planned) -> Decoded | None:
    if planned.flaw not in (None, Flaw.ID_REUSED):
        return None
    record = planned.record
    return decode(record.topic, record.key, record.value, record.headers)


def _spoilt(dice: Dice, planned: Planned, event: Decoded, known: Sequence[str]) -> Input:
    """Return an invalid record about the same case, published some time later."""
    flaw = dice.one(FLAWS)
    reused = flaw is Flaw.ID_REUSED
    record = _malformed(dice, flaw, event, event.event_id if reused else dice.uuid())
    if flaw is Flaw.WRONG_KEY and len(known) > 1:  # then it names two cases of this run
        other = dice.any([case_id for case_id in known if case_id != event.case_id])
        record = replace(record, key=other.encode())
    at = planned.at + dice.lasting(timedelta(minutes=1), timedelta(days=3))
    told = decode(record.topic, record.key, record.value, record.headers) if reused else None
    return Input(at, record, told, REASON[flaw])


def _meeting(dice: Dice, planned: Planned, event: Decoded) -> Input:
    """Return a record on a wrong topic, published at the moment of a case's first event."""
    record = _malformed(dice, Flaw.WRONG_TOPIC, event, dice.uuid())
    return Input(planned.at, record, None, REASON[Flaw.WRONG_TOPIC])


def _malformed(dice: Dice, flaw: Flaw, event: Decoded, event_id: UUID) -> Outgoing:
    """Return an invalid record that says what an event says."""
    return malformed_record(
        flaw,
        dice,
        event.event,
        event_id=event_id,
        case_id=event.case_id,
        source=event.source,
        time=event.time - timedelta(hours=1),
    )
