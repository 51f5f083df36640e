"""A Kafka record, and the result of decoding it: an event, or malformed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from schemas.codec import Decoded, decode
from schemas.envelope import Headers, Reason, Rejected
from streams.store.events import Position


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as received."""

    position: Position
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int | None = None
    """Arrival on Kafka, in milliseconds of Unix time; None when unknown."""

    @property
    def arrived(self) -> float | None:
        """Return the arrival on Kafka, as Unix time; None when unknown."""
        return None if self.timestamp_ms is None else self.timestamp_ms / 1000


class Accepted(NamedTuple):
    """A record that is an event."""

    record: Record
    event: Decoded


class Malformed(NamedTuple):
    """A record that is not an event, and the reason."""

    record: Record
    reason: Reason
    detail: str
    subject: str | None = None


DecodedRecord = Accepted | Malformed


def decode_record(record: Record) -> DecodedRecord:
    """Decode a record. A malformed record is a value, not an exception."""
    try:
        event = decode(record.position.topic, record.key, record.value, record.headers)
    except Rejected as rejection:
        return Malformed(record, rejection.reason, rejection.detail, rejection.subject)
    return Accepted(record, event)
