"""A Kafka record, and the result of decoding it: an event, or malformed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from schemas.codec import MAX_AHEAD, Decoded, decode
from schemas.envelope import Headers
from schemas.producers import Producers
from schemas.rejected import Reason, Rejected
from streams.store.events import Position

_FIRST_MS: Final = 0
_LAST_MS: Final = 4_102_444_800_000
"""1970 and 2100. A time beyond them is none: -1, or microseconds or nanoseconds of a producer."""


class Record(NamedTuple):
    """One Kafka record as received."""

    position: Position
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int | None = None
    """Time of the record on Kafka, in milliseconds of Unix time; None when it has none."""

    @property
    def next_offset(self) -> int:
        """Return the offset after this record's."""
        return self.position.offset + 1

    @property
    def arrived(self) -> float | None:
        """Return the arrival on Kafka, as Unix time; None when unknown.

        On a topic with ``CreateTime`` the producer sets it, in any unit. One that can't be an
        arrival is unknown: no decision depends on it.
        """
        ms = self.timestamp_ms
        return ms / 1000 if ms is not None and _FIRST_MS <= ms < _LAST_MS else None


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


def decode_record(
    record: Record,
    now: datetime | None = None,
    max_ahead: timedelta = MAX_AHEAD,
    producers: Producers | None = None,
) -> DecodedRecord:
    """Decode a record. A malformed record is a value, not an exception.

    Its times are compared with ``now``, or else with its arrival on Kafka, which is the broker's
    clock: the verdict is the same whenever the record is delivered. So is what ``producers`` says
    that its source may say; without it that is not tested.
    """
    position, arrived = record.position, record.arrived
    if now is None and arrived is not None:
        now = datetime.fromtimestamp(arrived, UTC)
    try:
        event = decode(
            position.topic, record.key, record.value, record.headers, now, max_ahead, producers
        )
    except Rejected as rejection:
        return Malformed(record, rejection.reason, rejection.detail, rejection.subject)
    return Accepted(record, event)
