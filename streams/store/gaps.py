"""Gaps in what was read: offsets that were never seen, and how far each partition was handled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

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
    NOT_COMMITTED = "not_committed"
    """The group has no offset, and the log begins after what was handled before."""
    UNREADABLE = "unreadable"
    """A batch whose records can't be told apart."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets of one partition that were never seen, from ``position`` until ``next_offset``."""

    position: Position
    next_offset: int
    """The first offset after the gap."""
    reason: GapReason


async def put(conn: Connection, gaps: Iterable[Gap]) -> list[tuple[str, int]]:
    """Store gaps; return topic and number of offsets of each that is new. May be repeated.

    A gap begins no earlier than after what was handled. It is not stored while the same one is
    open.
    """
    stored = []
    for gap in gaps:
        row = await conn.fetchrow(
            """
            INSERT INTO input_gap (topic, "partition", first_offset, next_offset, reason)
            SELECT $1, $2, first, $4, $5
            FROM (
              SELECT greatest($3, CASE WHEN $5 = 'not_committed' THEN
                (SELECT next_offset FROM input_position WHERE topic = $1 AND "partition" = $2)
              END) AS first
            ) AS known
            WHERE first < $4
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


async def advance(conn: Connection, handled: Mapping[tuple[str, int], int]) -> None:
    """Record the offset after the last one that was handled, by topic and partition.

    The fixed order prevents a deadlock with a worker that lost its partitions meanwhile.
    """
    ordered = sorted(handled)
    await conn.execute(
        """
        INSERT INTO input_position AS known (topic, "partition", next_offset)
        SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[])
        ON CONFLICT (topic, "partition") DO UPDATE SET next_offset = excluded.next_offset
        WHERE known.next_offset <> excluded.next_offset
        """,
        [topic for topic, _ in ordered],
        [number for _, number in ordered],
        [handled[partition] for partition in ordered],
    )


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
