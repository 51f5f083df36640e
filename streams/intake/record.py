"""A Kafka record, and what it is found to be: an event, or malformed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from schemas.codec import Decoded, decode
from schemas.envelope import Headers, Reason, Rejected
from streams.store.events import Position


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it came."""

    position: Position
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int | None = None
    """When it was put on Kafka, in milliseconds of Unix time; None when that is not known."""

    @property
    def arrived(self) -> float | None:
        """Return when it was put on Kafka, as Unix time; None when that is not known."""
        return None if self.timestamp_ms is None else self.timestamp_ms / 1000


class Accepted(NamedTuple):
    """A record that is an event."""

    record: Record
    event: Decoded


class Malformed(NamedTuple):
    """A record that can't be one, and why."""

    record: Record
    reason: Reason
    detail: str
    subject: str | None = None


DecodedRecord = Accepted | Malformed


def decode_record(record: Record) -> DecodedRecord:
    """Return what a record is: a value, never an exception."""
    try:
        event = decode(record.position.topic, record.key, record.value, record.headers)
    except Rejected as rejection:
        return Malformed(record, rejection.reason, rejection.detail, rejection.subject)
    return Accepted(record, event)
