"""Stored events and dead letters: ids, digests and positions, without payloads."""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern

from streams.audit.database import Snapshot
from streams.audit.log import LogPosition


@dataclass(slots=True)
class StoredEvent:
    """One event of the log. ``seen`` is set once its record was read at its position."""

    digest: bytes
    place: LogPosition
    seen: bool = False


@dataclass(slots=True)
class StoredDeadLetter:
    """One dead letter. ``seen`` is set once a record was read at its position."""

    number: int
    reason: str
    resolution: str | None
    key: bytes | None
    value: bytes | None
    seen: bool = False


@dataclass(frozen=True, slots=True)
class StoredInput:
    """Stored events by the bytes of their id, and dead letters by position."""

    events: dict[bytes, StoredEvent]
    dead_letters: dict[LogPosition, StoredDeadLetter]


def load(snapshot: Snapshot) -> StoredInput:
    """Return all events and dead letters; keys and values of dead letters as SHA-256."""
    events = snapshot.rows(
        """
        SELECT event_id, digest, topic, "partition", "offset" FROM case_event
        """
    )
    letters = snapshot.rows(
        """
        SELECT topic, "partition", "offset", dead_letter_id, reason, resolution,
               sha256(key), sha256(value)
        FROM dead_letter
        """
    )
    return StoredInput(
        {
            event_id.bytes: StoredEvent(digest, LogPosition(intern(topic), partition, offset))
            for event_id, digest, topic, partition, offset in events
        },
        {
            LogPosition(intern(topic), partition, offset): StoredDeadLetter(*rest)
            for topic, partition, offset, *rest in letters
        },
    )
