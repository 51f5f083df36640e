"""Gaps in what was read: offsets that were never seen, and how far each partition was handled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from streams.store.events import Position
from streams.store.pool import Connection


class GapReason(StrEnum):
    """Why offsets were never seen.

    A gap is a loss only when the log begins after the next offset that was expected, or when a
    batch there is no sequence of records. Offsets that the log itself leaves out, because of
    transactions or compaction, are no gap.
    """

    DELETED = "deleted"
    """Retention or DeleteRecords removed them before they were read."""
    UNREADABLE = "unreadable"
    """A batch whose records can't be told apart."""
    TOO_LARGE = "too_large"
    """A batch that holds more than we read when it is decompressed."""
    TRUNCATED = "truncated"
    """The log ends before the next offset that was expected: the brokers lost what followed."""
    TOPIC_REPLACED = "topic_replaced"
    """The topic was deleted and made again with records unread. If the worker that reads it now did
    not read it then, their number is not known, and the gap counts as one offset."""
    SKIPPED = "skipped"
    """Somebody moved the group past offsets that can't be read."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets of one partition that were never seen, from ``position`` until ``next_offset``."""

    position: Position
    next_offset: int
    """The first offset after the gap."""
    reason: GapReason


@dataclass(frozen=True, slots=True)
class FormerLog:
    """What a worker saw of a partition before its topic was deleted and made again."""

    topic_id: UUID
    read_until: int
    """The offset after the last one that was read."""
    end: int
    """Where the log ended when it was last seen."""


@dataclass(frozen=True, slots=True)
class LogOpened:
    """Where a worker begins to read a partition: after an assignment, or anew."""

    position: Position
    topic_id: UUID | None
    """Id of the topic: another one than before means that it was deleted and made again. None if
    the brokers give no ids."""
    anew: bool = False
    """Whether the worker read this partition before: what follows may have lower offsets."""
    gap: Gap | None = None
    """What this log lost, as far as the worker knows."""
    former: FormerLog | None = None
    """What the worker saw of a former topic of this name; None if it read none."""

    @property
    def next_offset(self) -> int:
        """Return the offset that is read next."""
        return self.position.offset


@dataclass(frozen=True, slots=True)
class Reread:
    """A request to read a partition from an earlier offset."""

    topic: str
    partition: int
    offset: int
    moved_to: int | None = None
    """Where the group stands, past that offset; None if its offset is of a former topic."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What follows from where a worker begins to read, and how far the partition was handled."""

    gaps: tuple[Gap, ...] = ()
    restarts: bool = False
    """Whether the partition counts as unhandled from where the worker begins."""
    replaced: bool = False
    """Whether the topic is another one of the same name."""
    reread: Reread | None = None
    """What must be read first."""


def compare(opened: LogOpened, handled: int, known: UUID | None) -> Comparison:
    """Compare where a worker begins to read with how far the partition was handled.

    ``handled`` is the next offset to handle, 0 if none was; ``known`` is the id of the topic that
    it is of, None if that is not known.

    1. The id of the topic is another one, and the worker is not at its beginning: its offset is
       that of the former topic. The new one is read from its beginning.
    2. The id is another one: what is stored from now on is from the new topic. A gap tells what was
       unread in the former one, or that this is not known.
    3. The worker is past what was handled, or not at the beginning of what was never read: somebody
       moved the group, its offset is not known at present, or only marks of transactions lie
       between. What lies between is read, or told as lost.
    """
    at = opened.position
    replaced = known is not None and opened.topic_id is not None and known != opened.topic_id
    if replaced and not opened.anew and at.offset:
        return Comparison(reread=Reread(at.topic, at.partition, 0))
    gaps: tuple[Gap, ...] = () if opened.gap is None else (opened.gap,)
    if replaced:
        first, end = _unread(opened.former, handled, known)
        if first < end:
            place = Position(at.topic, at.partition, first)
            gaps += (Gap(place, end, GapReason.TOPIC_REPLACED),)
    if replaced or opened.anew or not (handled or at.offset):
        return Comparison(gaps, restarts=True, replaced=replaced)
    if handled < at.offset:
        return Comparison(gaps, reread=Reread(at.topic, at.partition, handled, at.offset))
    return Comparison(gaps)


def _unread(former: FormerLog | None, handled: int, known: UUID | None) -> tuple[int, int]:
    """Return the first and the last offset, exclusive, that nobody read of a former topic.

    One offset stands for an unknown number: the worker saw another topic than the one that was
    handled last, or other workers read on.
    """
    if former is None or former.topic_id != known or former.end < handled:
        return handled, handled + 1
    return max(former.read_until, handled), former.end


async def open_log(
    conn: Connection, opened: LogOpened
) -> tuple[list[tuple[str, int]], Reread | None]:
    """Compare where a worker begins to read with what was handled; store the id of the topic.

    Returns the topics and numbers of offsets of new gaps, and what must be read again first. May
    be repeated.
    """
    at = opened.position
    row = await conn.fetchrow(
        """
        SELECT next_offset, topic_id FROM input_position WHERE topic = $1 AND "partition" = $2
        """,
        at.topic,
        at.partition,
    )
    handled, known = (0, None) if row is None else row
    found = compare(opened, handled, known)
    stored = await put(conn, found.gaps)
    if found.restarts or (row is not None and known is None):
        await conn.execute(
            """
            INSERT INTO input_position AS known (topic, "partition", next_offset, topic_id)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (topic, "partition") DO UPDATE SET
              next_offset = CASE WHEN $5 THEN excluded.next_offset ELSE known.next_offset END,
              topic_id = coalesce(excluded.topic_id, known.topic_id),
              topic_since = CASE WHEN $6 THEN clock_timestamp() ELSE known.topic_since END
            """,
            at.topic,
            at.partition,
            at.offset,
            opened.topic_id,
            found.restarts,
            found.replaced,
        )
    return stored, found.reread


async def put(conn: Connection, gaps: Iterable[Gap]) -> list[tuple[str, int]]:
    """Store gaps; return topic and number of offsets of each that is new. May be repeated.

    A gap is not stored while the same one is open.
    """
    stored = []
    for gap in gaps:
        row = await conn.fetchrow(
            """
            INSERT INTO input_gap (topic, "partition", first_offset, next_offset, reason)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (topic, "partition", first_offset, next_offset)
              WHERE resolved_at IS NULL DO NOTHING
            RETURNING topic, next_offset - first_offset
            """,
            gap.position.topic,
            gap.position.partition,
            gap.position.offset,
            gap.next_offset,
            gap.reason,
        )
        if row is not None:
            stored.append((row[0], row[1]))
    return stored


async def find(
    conn: Connection, *, open_only: bool = True, limit: int = 100
) -> list[dict[str, Any]]:
    """Return at most ``limit`` gaps, oldest first."""
    rows = await conn.fetch(
        """
        SELECT gap_id, topic, "partition", first_offset, next_offset, reason, recorded_at,
               resolved_at, resolved_note
        FROM input_gap WHERE NOT $1 OR resolved_at IS NULL ORDER BY gap_id LIMIT $2
        """,
        open_only,
        limit,
    )
    return [dict(row) for row in rows]


async def resolve(conn: Connection, gap_id: int, note: str) -> bool:
    """Resolve one gap; return False when it is already resolved or does not exist."""
    done: str = await conn.execute(
        """
        UPDATE input_gap SET resolved_at = clock_timestamp(), resolved_note = $2
        WHERE gap_id = $1 AND resolved_at IS NULL
        """,
        gap_id,
        note,
    )
    return done == "UPDATE 1"


async def lost(conn: Connection) -> list[tuple[str, int]]:
    """Return the topics with open gaps, each with its number of offsets never seen."""
    rows = await conn.fetch(
        """
        SELECT topic, sum(next_offset - first_offset)::bigint FROM input_gap
        WHERE resolved_at IS NULL GROUP BY 1 ORDER BY 1
        """
    )
    return [(topic, count) for topic, count in rows]
