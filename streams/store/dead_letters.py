"""Dead letters: records that could not be applied, stored until they are resolved.

A record is stored unchanged, or in part if a flood of its size would fill the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

import orjson

from schemas.envelope import Headers
from streams.store.events import Position
from streams.store.pool import Connection

UNKNOWN: Final = "unknown"
"""Name of a producer that can't be read."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter: the unchanged record, its position, and why it was rejected."""

    position: Position
    key: bytes | None
    value: bytes | None
    headers: Headers
    reason: str
    detail: str
    case_ids: tuple[str, ...]
    arrived_ms: int | None = None
    """Arrival on Kafka, in milliseconds of Unix time; None when unknown."""
    source: str | None = None
    """The producer that the record names; None if that can't be read."""
    whole_bytes: int | None = None
    """Length of the record if it is stored in part: key, value and headers together."""
    whole_digest: bytes | None = None
    """SHA-256 over the SHA-256 of its key and of its value; None for a whole record."""

    def in_part(self) -> DeadLetter:
        """Return the letter with as much of its record as is stored."""
        size = sum(len(name) + len(value or b"") for name, value in self.headers)
        key, value = self.key or b"", self.value or b""
        if len(key) <= _MOST_KEY and len(value) <= _MOST_VALUE and size <= _MOST_HEADERS:
            return self
        kept: list[tuple[str, bytes | None]] = []
        room = _MOST_HEADERS
        for name, content in self.headers:
            room -= len(name) + len(content or b"")
            if room < 0:
                break
            kept.append((name, content))
        return replace(
            self,
            key=None if self.key is None else key[:_MOST_KEY],
            value=None if self.value is None else value[:_MOST_VALUE],
            headers=tuple(kept),
            whole_bytes=len(key) + len(value) + size,
            whole_digest=self.digest,
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 over that of the key and that of the value of the record, in part or not."""
        if self.whole_digest is not None:
            return self.whole_digest
        parts = (sha256(part or b"").digest() for part in (self.key, self.value))
        return sha256(b"".join(parts)).digest()


_MOST_KEY: Final = 1024
_MOST_VALUE: Final = 16 * 1024
_MOST_HEADERS: Final = 8 * 1024
"""Most bytes that are stored of a record. An event of ours has less than 4 KiB."""


async def put(conn: Connection, letters: Iterable[DeadLetter]) -> None:
    """Insert dead letters, one per record. May be repeated: an existing one is kept.

    Another record at the position of an existing one means that the topic was made again. The
    existing one gives way: its offset becomes its negative id, and ``former_offset`` keeps it. The
    same record may be stored whole once and in part once: they are compared by their digests.
    """
    letters = list(letters)
    await conn.executemany(
        """
        UPDATE dead_letter SET former_offset = "offset", "offset" = -dead_letter_id
        WHERE topic = $1 AND "partition" = $2 AND "offset" = $3
          AND (arrived_ms <> $5 OR $4 <> coalesce(
              whole_digest, sha256(sha256(coalesce(key, '')) || sha256(coalesce(value, '')))))
        """,
        [
            (
                letter.position.topic,
                letter.position.partition,
                letter.position.offset,
                letter.digest,
                letter.arrived_ms,
            )
            for letter in letters
        ],
    )
    await conn.executemany(
        """
        INSERT INTO dead_letter (topic, "partition", "offset", key, value, headers, reason,
                                 detail, case_ids, arrived_ms, source, whole_bytes, whole_digest)
        VALUES ($1, $2, $3, $4, $5, $6::json, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (topic, "partition", "offset") DO NOTHING
        """,
        [
            (
                letter.position.topic,
                letter.position.partition,
                letter.position.offset,
                letter.key,
                letter.value,
                _dump_headers(letter.headers),
                letter.reason,
                letter.detail,
                list(letter.case_ids),
                letter.arrived_ms,
                letter.source,
                letter.whole_bytes,
                letter.whole_digest,
            )
            for letter in letters
        ],
    )


@dataclass(frozen=True, slots=True)
class OpenDeadLetter:
    """Open dead letter without its record, as needed to decide the cases that it names."""

    dead_letter_id: int
    position: Position
    reason: str
    case_ids: tuple[str, ...]
    recorded_at: datetime


def open_letter(row: Iterable[Any]) -> OpenDeadLetter:
    """Return an open dead letter from its row.

    That is its id, topic, partition, offset, reason, cases, and when it was recorded.
    """
    letter_id, topic, partition, offset, reason, case_ids, recorded_at = row
    position = Position(topic, partition, offset)
    return OpenDeadLetter(letter_id, position, reason, tuple(case_ids), recorded_at)


OPEN_ON: Final = """
    SELECT dead_letter_id, topic, "partition", "offset", reason, case_ids, recorded_at
    FROM dead_letter
    WHERE resolution IS NULL AND cardinality(case_ids) = 1 AND case_ids[1] = any($1::text[])
    UNION ALL
    SELECT dead_letter_id, topic, "partition", "offset", reason, case_ids, recorded_at
    FROM dead_letter
    WHERE resolution IS NULL AND cardinality(case_ids) > 1 AND case_ids && $1::text[]
"""
"""Query for the open dead letters that name at least one of the cases ``$1``.

By the indexes for this question; ``resolved_at IS NULL`` would have all open ones read.
"""


async def open_on(conn: Connection, case_ids: Sequence[str]) -> list[OpenDeadLetter]:
    """Return the open dead letters that name at least one of these cases."""
    rows = await conn.fetch(OPEN_ON, case_ids)
    return [open_letter(row) for row in rows]


async def open_at(conn: Connection, case_id: str, at: datetime) -> list[OpenDeadLetter]:
    """Return the dead letters that name a case and were open at ``at``."""
    rows = await conn.fetch(
        """
        SELECT dead_letter_id, topic, "partition", "offset", reason, case_ids, recorded_at
        FROM dead_letter
        WHERE case_ids @> ARRAY[$1::text] AND recorded_at <= $2
          AND (resolved_at IS NULL OR resolved_at > $2)
        """,
        case_id,
        at,
    )
    return [open_letter(row) for row in rows]


class Opened(NamedTuple):
    """When a dead letter that names a case was opened and resolved, and its topic."""

    case_id: str
    topic: str
    recorded_at: datetime
    resolved_at: datetime | None
    """None while it is open."""


async def opened_between(
    conn: Connection, first: str, after: str | None, until: datetime
) -> list[Opened]:
    """Return the dead letters up to ``until`` of the cases from ``first`` up to ``after``."""
    rows = await conn.fetch(
        """
        SELECT case_id, topic, recorded_at,
               CASE WHEN resolved_at <= $3 THEN resolved_at END AS resolved_at
        FROM dead_letter, unnest(case_ids) AS named (case_id)
        WHERE recorded_at <= $3 AND case_id >= $1 AND ($2::text IS NULL OR case_id < $2)
        """,
        first,
        after,
        until,
    )
    return [Opened(*row) for row in rows]


async def applied_after_all(conn: Connection, dead_letter_ids: Sequence[int]) -> None:
    """Mark dead letters as replayed, because their record was redelivered and applied."""
    await conn.execute(
        """
        UPDATE dead_letter
        SET resolved_at = clock_timestamp(), resolution = 'replayed',
            resolved_note = 'applied when delivered again'
        WHERE dead_letter_id = any($1::bigint[]) AND resolved_at IS NULL
        """,
        dead_letter_ids,
    )


async def resolve(
    conn: Connection, dead_letter_id: int, resolution: str, note: str, who: str | None = None
) -> bool:
    """Resolve one dead letter; return False when it is already resolved or does not exist.

    ``who`` decided it; None if it was not a person.
    """
    done: str = await conn.execute(
        """
        UPDATE dead_letter
        SET resolved_at = clock_timestamp(), resolution = $2, resolved_note = $3,
            resolved_by = $4
        WHERE dead_letter_id = $1 AND resolved_at IS NULL
        """,
        dead_letter_id,
        resolution,
        note,
        who,
    )
    return done == "UPDATE 1"


async def tried_again(conn: Connection, dead_letter_id: int, reason: str, detail: str) -> None:
    """Record a failed replay: count the attempt, and store its reason and detail."""
    await conn.execute(
        """
        UPDATE dead_letter SET attempts = attempts + 1, reason = $2, detail = $3
        WHERE dead_letter_id = $1 AND resolved_at IS NULL
        """,
        dead_letter_id,
        reason,
        detail,
    )


async def get(
    conn: Connection, dead_letter_id: int, *, lock: bool = False
) -> dict[str, Any] | None:
    """Return one dead letter with its record, or None when it does not exist.

    With ``lock``, its row stays locked until the transaction ends; blocks while another transaction
    locks it.
    """
    query = "SELECT * FROM dead_letter WHERE dead_letter_id = $1"
    row = await conn.fetchrow(query + (" FOR UPDATE" if lock else ""), dead_letter_id)
    return None if row is None else {**row, "headers": _load_headers(row["headers"])}


async def find(
    conn: Connection,
    *,
    open_only: bool = True,
    reason: str | None = None,
    case_id: str | None = None,
    source: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Return at most ``limit`` dead letters without their records, oldest first."""
    rows = await conn.fetch(
        """
        SELECT dead_letter_id, topic, "partition", "offset", reason, detail, case_ids,
               recorded_at, attempts, resolved_at, resolution, resolved_note, source,
               resolved_by
        FROM dead_letter
        WHERE (NOT $1 OR resolved_at IS NULL)
          AND ($2::text IS NULL OR reason = $2)
          AND ($3::text IS NULL OR $3 = any(case_ids))
          AND ($5::text IS NULL OR coalesce(source, $6) = $5)
        ORDER BY dead_letter_id LIMIT $4
        """,
        open_only,
        reason,
        case_id,
        limit,
        source,
        UNKNOWN,
    )
    return [dict(row) for row in rows]


async def sources(conn: Connection) -> list[str]:
    """Return the producers of all dead letters, ``UNKNOWN`` included."""
    rows = await conn.fetch("SELECT DISTINCT coalesce(source, $1) FROM dead_letter", UNKNOWN)
    return sorted(row[0] for row in rows)


async def grouped(
    conn: Connection, by: str, *, open_only: bool = True, limit: int = 100
) -> list[dict[str, Any]]:
    """Count dead letters by ``source``, ``reason`` or ``topic``, most first."""
    column = {"source": "coalesce(source, $2)", "reason": "reason", "topic": "topic"}[by]
    rows = await conn.fetch(
        f"""
        SELECT {column} AS "group", count(*) AS letters, min(recorded_at) AS oldest_at,
               max(recorded_at) AS newest_at, array_agg(DISTINCT reason ORDER BY reason) AS reasons
        FROM dead_letter WHERE (NOT $1 OR resolved_at IS NULL) AND $2::text IS NOT NULL
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $3
        """,  # noqa: S608 - one of three columns
        open_only,
        UNKNOWN,
        limit,
    )
    return [dict(row) for row in rows]


class Unresolved(NamedTuple):
    """Open dead letters of one topic and reason."""

    topic: str
    reason: str
    letters: int
    oldest_at: datetime
    overdue: int
    """Number of them that are older than the bound."""
    recent: int = 0
    """Number of them that were recorded since a given instant."""


async def unresolved(
    conn: Connection, bound: datetime, since: datetime | None = None
) -> list[Unresolved]:
    """Count open dead letters by topic and reason, those before ``bound`` and from ``since``."""
    rows = await conn.fetch(
        """
        SELECT topic, reason, count(*), min(recorded_at), count(*) FILTER (WHERE recorded_at < $1),
               count(*) FILTER (WHERE recorded_at >= $2)
        FROM dead_letter WHERE resolved_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2
        """,
        bound,
        since,
    )
    return [Unresolved(*row) for row in rows]


async def unresolved_by_producer(conn: Connection, most: int) -> list[tuple[str, int]]:
    """Return the ``most`` producers with the most open dead letters, and their numbers.

    A producer is what the records say, which may be anybody's text, or ``UNKNOWN``.
    """
    rows = await conn.fetch(
        """
        SELECT coalesce(source, $1), count(*) FROM dead_letter WHERE resolved_at IS NULL
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $2
        """,
        UNKNOWN,
        most,
    )
    return [(row[0], row[1]) for row in rows]


def _dump_headers(headers: Headers) -> str:
    """Return headers as JSON; names and values in hexadecimal, since values may be any bytes."""
    pairs = [
        [name.encode(errors="surrogateescape").hex(), None if value is None else value.hex()]
        for name, value in headers
    ]
    return orjson.dumps(pairs).decode()


def _load_headers(text: str) -> tuple[tuple[str, bytes | None], ...]:
    return tuple(
        (
            bytes.fromhex(name).decode(errors="surrogateescape"),
            None if value is None else bytes.fromhex(value),
        )
        for name, value in orjson.loads(text)
    )
