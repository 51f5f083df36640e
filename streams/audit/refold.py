"""Second implementation of a case's fold, written from its definition and not from the pipeline.

Of a fact, the version whose source ranks highest is kept, and of several the one with the greatest
``(time, event id)``. Of an order, every version is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple, assert_never
from uuid import UUID

from schemas.events import (
    AppointmentMissed,
    AppointmentPlanned,
    CircumstanceChanged,
    Event,
    FollowUpEnded,
    InterviewCompleted,
    OqtIssued,
    ProposalAnswered,
)


class Version(NamedTuple):
    """One version of a fact. Two versions never tie: an event id is unique for its source."""

    time: datetime
    event_id: UUID
    type: str
    event: Event
    source: str = ""
    rank: int = 0
    """Rank of the source in the table of producers."""


Facts = Mapping[str, Version]


def refold(versions: Iterable[Version]) -> Facts:
    """Return the version of each fact that holds, by key."""
    newest: dict[str, Version] = {}
    for version in sorted(versions, key=lambda v: (v.rank, *order(v))):
        name = key(version.event)
        newest[f"{name}:{version.event_id}" if isinstance(version.event, OqtIssued) else name] = (
            version
        )
    return dict(sorted(newest.items()))


def order(version: Version) -> tuple[datetime, UUID, str]:
    """Return what orders the versions of sources of one rank."""
    return version.time, version.event_id, version.source


def key(event: Event) -> str:
    """Return the key of an event's fact; a later event with the same key corrects it."""
    if isinstance(event, OqtIssued):
        return f"order:{event.order_id}"
    if isinstance(event, AppointmentMissed):
        return f"miss:{event.appointment_id}"
    if isinstance(event, CircumstanceChanged):
        circumstance, state = event.circumstance.value, event.state.value
        return f"circumstance:{circumstance}:{event.reference}:{state}"
    if isinstance(event, InterviewCompleted):
        return f"interview:{event.interview_id}"
    if isinstance(event, AppointmentPlanned):
        return f"appointment:{event.appointment_id}"
    if isinstance(event, ProposalAnswered):
        return f"answer:{event.escalation_id}:{event.round}"
    if isinstance(event, FollowUpEnded):
        return f"end:{event.order_id or '*'}"
    assert_never(event)


def digest(facts: Facts) -> bytes:
    """Return the digest that a projection of these facts must have.

    It is the SHA-256 over the ids of the newest versions, in ascending order.
    """
    hashed = sha256()
    for event_id in sorted(version.event_id.int for version in facts.values()):
        hashed.update(event_id.to_bytes(16, "big"))
    return hashed.digest()
