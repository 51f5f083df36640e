"""Stored events and dead letters: ids, digests and positions, without payloads."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from sys import intern
from typing import NamedTuple

from pydantic import ValidationError

from schemas.codec import Decoded
from schemas.events import EVENT_TYPES
from streams.audit.database import Snapshot
from streams.audit.log import LogPosition, Partition


@dataclass(slots=True)
class StoredEvent:
    """One event of the log. ``seen`` is set once its record was read at its position.

    It is set from the start where the record is in the log of a former topic of that name, or in a
    part of the log that the brokers lost and that a gap names.
    """

    digest: bytes
    place: LogPosition
    seen: bool = False


@dataclass(slots=True)
class StoredDeadLetter:
    """One dead letter. ``seen`` is set once a record was read at its position, as of an event."""

    number: int
    reason: str
    resolution: str | None
    key: bytes | None
    value: bytes | None
    whole_digest: bytes | None
    """Digest of a record that is stored in part, over the digests of its key and value."""
    of_log: bool
    """Whether it stands for an event of the log that can't be read, and so holds no record."""
    seen: bool = False


class OversizedBatch(NamedTuple):
    """A gap that a batch left which holds too much, and that a person has resolved."""

    topic: str
    partition: int
    first_offset: int
    next_offset: int


@dataclass(frozen=True)
class StoredInput:
    """Stored events by the bytes of their id and their source, and dead letters by position.

    A dead letter whose record is in no present log is left out.
    """

    events: dict[tuple[bytes, str], StoredEvent]
    dead_letters: dict[LogPosition, StoredDeadLetter]
    snapshot: Snapshot
    batches: Sequence[OversizedBatch] = ()

    def oversized(self, place: LogPosition) -> OversizedBatch | None:
        """Return the batch that a position lies in, if it was passed over as too large."""
        for batch in self.batches:
            if (place.topic, place.partition) == batch[:2] and (
                batch.first_offset <= place.offset < batch.next_offset
            ):
                return batch
        return None

    def says(self, event: Decoded) -> bool:
        """Return whether the stored event of this id and source means the same. Reads it."""
        rows = self.snapshot.rows(
            """
            SELECT case_id, type, occurred_at, payload::text FROM case_event
            WHERE event_id = %s AND source = %s
            """,
            event.event_id,
            event.source,
        )
        for case_id, type_, occurred_at, payload in rows:
            with suppress(ValidationError, KeyError):
                stored = EVENT_TYPES[type_].read_json(payload)
                return (case_id, occurred_at, stored) == (event.case_id, event.time, event.event)
        return False

    @cached_property
    def ids(self) -> frozenset[bytes]:
        """Ids of all events, whatever their sources."""
        return frozenset(number for number, _ in self.events)


def load(snapshot: Snapshot) -> StoredInput:
    """Return all events and dead letters; keys and values of dead letters as SHA-256."""
    former = {
        Partition(intern(topic), number): since
        for topic, number, since in snapshot.rows(
            """
            SELECT topic, "partition", topic_since FROM input_position
            WHERE topic_since IS NOT NULL
            """
        )
    }
    cut = list(
        snapshot.rows(
            """
            SELECT topic, "partition", first_offset, next_offset, recorded_at FROM input_gap
            WHERE reason = 'truncated'
            """
        )
    )

    def gone(place: LogPosition, recorded_at: datetime) -> bool:
        since = former.get(Partition(place.topic, place.partition))
        return (since is not None and recorded_at < since) or any(
            (place.topic, place.partition) == (topic, number)
            and first <= place.offset < after
            and recorded_at < cut_at
            for topic, number, first, after, cut_at in cut
        )

    events = snapshot.rows(
        """
        SELECT event_id, source, digest, topic, "partition", "offset", recorded_at FROM case_event
        """
    )
    letters = snapshot.rows(
        """
        SELECT topic, "partition", "offset", recorded_at, dead_letter_id, reason, resolution,
               sha256(key), sha256(value), whole_digest,
               detail LIKE 'event %% in case_event no longer fits its type'
        FROM dead_letter
        """
    )
    present = {}
    for topic, partition, offset, recorded_at, *rest in letters:
        place = LogPosition(intern(topic), partition, offset)
        if not gone(place, recorded_at):
            present[place] = StoredDeadLetter(*rest)
    stored = {}
    for event_id, source, digest, topic, partition, offset, recorded_at in events:
        place = LogPosition(intern(topic), partition, offset)
        entry = StoredEvent(digest, place, gone(place, recorded_at))
        stored[event_id.bytes, intern(source)] = entry
    batches = snapshot.rows(
        """
        SELECT topic, "partition", first_offset, next_offset FROM input_gap
        WHERE reason = 'too_large' AND resolved_at IS NOT NULL
        """
    )
    return StoredInput(stored, present, snapshot, [OversizedBatch(*row) for row in batches])
