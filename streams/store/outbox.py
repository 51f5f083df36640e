"""The outbox: what was decided and is not yet known to be on Kafka.

A case's rows get their positions under the case's lock, so for one case position order is commit
order: whoever sees a later row sees the earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from streams.store.pool import Connection

_RELAY_LOCK = 0x1CA4_0B0C
"""Key of the advisory lock that makes one relay publish at a time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message to publish. ``headers`` and ``body`` are the exact bytes, however often sent."""

    message_id: UUID
    topic: str
    key: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry with its position."""

    position: int
    entry: Entry


async def put(conn: Connection, entries: Iterable[Entry]) -> None:
    """Add entries in the order given; one statement.

    Raises:
        asyncpg.UniqueViolationError: a message id was used before: a decision was taken twice.
    """
    rows = [
        {
            "message_id": entry.message_id,
            "topic": entry.topic,
            "key": entry.key,
            "headers": [[name, value.decode()] for name, value in entry.headers],
            "body": orjson.Fragment(entry.body),
        }
        for entry in entries
    ]
    await conn.execute(
        """
        INSERT INTO outbox (message_id, topic, key, headers, body)
        SELECT (row->>'message_id')::uuid, row->>'topic', row->>'key', row->'headers', row->'body'
        FROM json_array_elements($1::json) WITH ORDINALITY AS new (row, nth) ORDER BY nth
        """,
        orjson.dumps(rows).decode(),
    )


async def hold_relay_lock(conn: Connection) -> bool:
    """Try to become the one relay; held until the connection ends. Does not wait."""
    held: bool = await conn.fetchval("SELECT pg_try_advisory_lock($1)", _RELAY_LOCK)
    return held


async def release_relay_lock(conn: Connection) -> None:
    """Stop being the one relay."""
    await conn.fetchval("SELECT pg_advisory_unlock($1)", _RELAY_LOCK)


async def pending(conn: Connection, limit: int) -> list[Pending]:
    """Return what is to be published, in position order."""
    rows = await conn.fetch(
        """
        SELECT position, message_id, topic, key, headers::text AS headers, body::text AS body
        FROM outbox WHERE published_at IS NULL ORDER BY position LIMIT $1
        """,
        limit,
    )
    return [
        Pending(
            row["position"],
            Entry(
                row["message_id"],
                row["topic"],
                row["key"],
                tuple((name, value.encode()) for name, value in orjson.loads(row["headers"])),
                row["body"].encode(),
            ),
        )
        for row in rows
    ]


async def mark_published(conn: Connection, positions: Sequence[int]) -> None:
    """Note that these entries are on Kafka."""
    await conn.execute(
        "UPDATE outbox SET published_at = clock_timestamp() WHERE position = any($1::bigint[])",
        positions,
    )


async def backlog(conn: Connection) -> tuple[int, float]:
    """Return how many entries wait, and for how many seconds the oldest has."""
    row = await conn.fetchrow(
        """
        SELECT count(*) AS pending,
               coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) AS oldest
        FROM outbox WHERE published_at IS NULL
        """
    )
    return (row["pending"], float(row["oldest"])) if row else (0, 0.0)
