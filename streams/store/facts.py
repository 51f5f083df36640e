"""How a folded case is written down: its facts as one JSON array, and their digest."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import to_json

from schemas.events import (
    EVENT_TYPES,
    AppointmentMissed,
    CircumstanceChanged,
    InterviewCompleted,
    OqtIssued,
)
from streams.domain.case import Case, Fact


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True)

    key: str
    time: datetime
    event_id: UUID


class _Order(_Stored):
    type: Literal["icam.oqt-issued.v1"] = "icam.oqt-issued.v1"
    data: OqtIssued


class _Miss(_Stored):
    type: Literal["icam.appointment-missed.v1"] = "icam.appointment-missed.v1"
    data: AppointmentMissed


class _Interview(_Stored):
    type: Literal["icam.interview-completed.v1"] = "icam.interview-completed.v1"
    data: InterviewCompleted


class _Circumstance(_Stored):
    type: Literal["icam.circumstance-changed.v1"] = "icam.circumstance-changed.v1"
    data: CircumstanceChanged


_Any = Annotated[_Order | _Miss | _Interview | _Circumstance, Field(discriminator="type")]
_FACTS: Final = TypeAdapter(list[_Any])
_TYPE_OF: Final = {model: name for name, model in EVENT_TYPES.items()}


def dump(case: Case) -> bytes:
    """Return the facts of a case as a JSON array, sorted by key."""
    return to_json(
        [
            {
                "key": key,
                "time": fact.time,
                "event_id": fact.event_id,
                "type": _TYPE_OF[type(fact.event)],
                "data": fact.event,
            }
            for key, fact in sorted(case.facts.items())
        ]
    )


def load(case_id: str, text: str) -> Case:
    """Return the case from what ``dump`` wrote."""
    stored = _FACTS.validate_json(text)
    return Case(case_id, {s.key: Fact(s.time, s.event_id, s.data) for s in stored})


def digest(case: Case) -> bytes:
    """Return the SHA-256 over key, time and event id of every fact: equal folds, equal digests."""
    lines = [
        f"{key}\t{fact.time.astimezone(UTC).isoformat()}\t{fact.event_id}\n"
        for key, fact in sorted(case.facts.items())
    ]
    return sha256("".join(lines).encode()).digest()
