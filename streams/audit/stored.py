"""Stored events and dead letters: ids, digests and positions, without payloads.

They are looked up in batches, by what records name, or streamed: never all in memory.

A lookup is a join with LATERAL and OFFSET 0 or LIMIT, so that it probes an index once per record:
otherwise the planner may read the whole table for each batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pydantic import ValidationError

from schemas.codec import Decoded
from schemas.events import EVENT_TYPES
from streams.audit.database import Snapshot
from streams.audit.log import LogPosition, Partition
from streams.audit.seen import Bits


class StoredEvent(NamedTuple):
    """One event of the log."""

    digest: bytes
    place: LogPosition


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """One dead letter; its key and value as SHA-256."""

    number: int
    reason: str
    resolution: str | None
    key: bytes | None
    value: bytes | None
    whole_digest: bytes | None
    """Digest of a record that is stored in part, over the digests of its key and value."""
    of_log: bool
    """Whether it stands for an event of the log that can't be read, and so holds no record."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is stored of one batch of records.

    Events are by the bytes of their id and their source, dead letters by position. ``ids`` are the
    event ids of the batch that are stored, whatever their sources.
    """

    events: dict[tuple[bytes, str], StoredEvent] = field(default_factory=dict)
    dead_letters: dict[LogPosition, StoredDeadLetter] = field(default_factory=dict)
    ids: set[bytes] = field(default_factory=set)


class PlacedEvent(NamedTuple):
    """Where the record of a stored event is.

    It is ``gone`` where it was in the log of a former topic of that name, or in a part of the log
    that the brokers lost and that a gap names.
    """

    event_id: UUID
    source: str
    place: LogPosition
    gone: bool


class PlacedDeadLetter(NamedTuple):
    """Where the record of a dead letter is."""

    number: int
    place: LogPosition


class OversizedBatch(NamedTuple):
    """A gap that a batch left which holds too much, and that a person has resolved."""

    topic: str
    partition: int
    first_offset: int
    next_offset: int


class LostRange(NamedTuple):
    """A range of offsets that the brokers lost, and when a worker noticed."""

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    lost_at: datetime


@dataclass(frozen=True)
class StoredInput:
    """The stored events and dead letters of a snapshot.

    A dead letter whose record is in no present log is left out.
    """

    snapshot: Snapshot
    topics_since: Mapping[Partition, datetime]
    """When a topic was made again under its former name, by partition."""
    lost: Sequence[LostRange]
    letters: Mapping[Partition, Bits]
    """The offsets of all dead letters, so that only their records are looked up among them."""
    batches: Sequence[OversizedBatch]

    def oversized(self, place: LogPosition) -> OversizedBatch | None:
        """Return the batch that a position lies in, if it was passed over as too large."""
        for batch in self.batches:
            if (place.topic, place.partition) == batch[:2] and (
                batch.first_offset <= place.offset < batch.next_offset
            ):
                return batch
        return None

    def find(self, places: Sequence[LogPosition], events: Sequence[Decoded]) -> Found:
        """Return what is stored of records at these positions, which hold these events."""
        found = Found()
        self._find_events(events, found)
        self._find_dead_letters([place for place in places if self._may_be_letter(place)], found)
        return found

    def _find_events(self, events: Sequence[Decoded], found: Found) -> None:
        keys = {(event.event_id.bytes, event.source) for event in events}
        rows = self.snapshot.found(
            """
            SELECT event.* FROM unnest(%s::uuid[]) AS wanted (id) CROSS JOIN LATERAL (
                SELECT event_id, source, digest, topic, "partition", "offset" FROM case_event
                WHERE event_id = wanted.id OFFSET 0) AS event
            """,
            list({event.event_id for event in events}),
        )
        for event_id, source, digest, *place in rows:
            raw_id = event_id.bytes
            found.ids.add(raw_id)
            if (raw_id, source) in keys:
                found.events[raw_id, source] = StoredEvent(digest, LogPosition(*place))

    def _find_dead_letters(self, places: Sequence[LogPosition], found: Found) -> None:
        if not places:
            return
        rows = self.snapshot.found(
            """
            SELECT letter.topic, "partition", letter."offset", recorded_at, dead_letter_id, reason,
                   resolution, sha256(key), sha256(value), whole_digest,
                   detail LIKE 'event %% in case_event no longer fits its type'
            FROM unnest(%s::text[], %s::integer[], %s::bigint[]) AS at (topic, number, "offset")
            CROSS JOIN LATERAL (
                SELECT * FROM dead_letter AS letter
                WHERE letter.topic = at.topic AND letter."partition" = at.number
                  AND letter."offset" = at."offset" OFFSET 0
            ) AS letter
            """,
            [place.topic for place in places],
            [place.partition for place in places],
            [place.offset for place in places],
        )
        for topic, partition, offset, recorded_at, *rest in rows:
            place = LogPosition(topic, partition, offset)
            if not self._gone(place, recorded_at):
                found.dead_letters[place] = StoredDeadLetter(*rest)

    def _may_be_letter(self, place: LogPosition) -> bool:
        letters = self.letters.get(Partition(place.topic, place.partition))
        return letters is not None and place.offset in letters

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

    def known(self, event_ids: Sequence[UUID]) -> set[UUID]:
        """Return which of these event ids are stored, whatever their sources."""
        rows = self.snapshot.found(
            """
            SELECT id FROM unnest(%s::uuid[]) AS wanted (id) CROSS JOIN LATERAL (
                SELECT FROM case_event WHERE event_id = wanted.id LIMIT 1) AS event
            """,
            list(event_ids),
        )
        return {row[0] for row in rows}

    def events(self) -> Iterator[PlacedEvent]:
        """Yield all events, each with its position."""
        rows = self.snapshot.rows(
            """
            SELECT event_id, source, topic, "partition", "offset", recorded_at FROM case_event
            """
        )
        for event_id, source, topic, partition, offset, recorded_at in rows:
            place = LogPosition(topic, partition, offset)
            yield PlacedEvent(event_id, source, place, self._gone(place, recorded_at))

    def dead_letters(self) -> Iterator[PlacedDeadLetter]:
        """Yield the dead letters whose records are in a present log, each with its position."""
        rows = self.snapshot.rows(
            """
            SELECT topic, "partition", "offset", recorded_at, dead_letter_id FROM dead_letter
            """
        )
        for topic, partition, offset, recorded_at, number in rows:
            place = LogPosition(topic, partition, offset)
            if not self._gone(place, recorded_at):
                yield PlacedDeadLetter(number, place)

    def _gone(self, place: LogPosition, recorded_at: datetime) -> bool:
        since = self.topics_since.get(Partition(place.topic, place.partition))
        return (since is not None and recorded_at < since) or any(
            (place.topic, place.partition) == (lost.topic, lost.partition)
            and lost.first_offset <= place.offset < lost.next_offset
            and recorded_at < lost.lost_at
            for lost in self.lost
        )


def load(snapshot: Snapshot) -> StoredInput:
    """Return the stored events and dead letters, of which only positions are read yet."""
    letters: defaultdict[Partition, Bits] = defaultdict(Bits)
    for topic, number, offset in snapshot.rows(
        'SELECT topic, "partition", "offset" FROM dead_letter'
    ):
        letters[Partition(topic, number)].add(offset)
    since = snapshot.rows(
        """
        SELECT topic, "partition", topic_since FROM input_position WHERE topic_since IS NOT NULL
        """
    )
    lost = snapshot.rows(
        """
        SELECT topic, "partition", first_offset, next_offset, recorded_at FROM input_gap
        WHERE reason = 'truncated'
        """
    )
    oversized = snapshot.rows(
        """
        SELECT topic, "partition", first_offset, next_offset FROM input_gap
        WHERE reason = 'too_large' AND resolved_at IS NOT NULL
        """
    )
    return StoredInput(
        snapshot,
        {Partition(topic, number): at for topic, number, at in since},
        [LostRange(*row) for row in lost],
        letters,
        [OversizedBatch(*row) for row in oversized],
    )
