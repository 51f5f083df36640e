"""The outbox: what was decided, written once; and beside it the positions not known on Kafka yet.

A case's rows get their positions under the case's lock, so for one case position order is commit
order: whoever sees a later row sees the earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from streams.store.pool import Connection

_RELAY_LOCK = 0x1CA4_0B0C
"""Key of the advisory lock that makes one relay publish at a time."""


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One message to publish. ``headers`` and ``body`` are the exact bytes, however often sent."""

    message_id: UUID
    topic: str
    key: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes
    caused_at: datetime | None = None
    """Since when there was something to announce; never sent, only measured."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry with its position, and for how many seconds there was something to announce."""

    position: int
    entry: OutboxEntry
    waited: float | None = None


async def put(conn: Connection, entries: Iterable[OutboxEntry]) -> None:
    """Add entries in the order given; one statement.

    Raises:
        asyncpg.UniqueViolationError: a message id was used before: a decision was taken twice.
    """
    rows = list(entries)
    # The bodies as they are: as part of one JSON document the server would parse them once more.
    await conn.execute(
        """
        WITH added AS (
            INSERT INTO outbox (message_id, topic, key, headers, body, caused_at)
            SELECT message_id, topic, key, headers::json, body::json, caused_at
            FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[],
                        $6::timestamptz[])
                WITH ORDINALITY AS new (message_id, topic, key, headers, body, caused_at, nth)
            ORDER BY nth RETURNING position)
        INSERT INTO outbox_pending (position) SELECT position FROM added
        """,
        [row.message_id for row in rows],
        [row.topic for row in rows],
        [row.key for row in rows],
        [_headers(row.headers) for row in rows],
        [row.body.decode() for row in rows],
        [row.caused_at for row in rows],
    )


def _headers(headers: tuple[tuple[str, bytes], ...]) -> str:
    return orjson.dumps([[name, value.decode()] for name, value in headers]).decode()


async def hold_relay_lock(conn: Connection) -> bool:
    """Try to become the one relay; held until the connection ends. Does not wait."""
    held: bool = await conn.fetchval("SELECT pg_try_advisory_lock($1)", _RELAY_LOCK)
    return held


async def release_relay_lock(conn: Connection) -> None:
    """Stop being the one relay."""
    await conn.fetchval("SELECT pg_advisory_unlock($1)", _RELAY_LOCK)


async def pending(conn: Connection, limit: int) -> list[Pending]:
    """Return what is to be published, in position order."""
    # By value, not as a join: planned while the tables are small, that would be a merge, which
    # walks the whole outbox up to the first position that waits.
    rows = await conn.fetch(
        """
        SELECT position, message_id, topic, key, headers::text AS headers, body::text AS body,
               caused_at, extract(epoch FROM clock_timestamp() - caused_at)::float8 AS waited
        FROM outbox WHERE position = any(ARRAY(
            SELECT position FROM outbox_pending ORDER BY position LIMIT $1))
        ORDER BY position
        """,
        limit,
    )
    return [
        Pending(
            row["position"],
            OutboxEntry(
                row["message_id"],
                row["topic"],
                row["key"],
                tuple((name, value.encode()) for name, value in orjson.loads(row["headers"])),
                row["body"].encode(),
                row["caused_at"],
            ),
            row["waited"],
        )
        for row in rows
    ]


async def mark_lazily(conn: Connection) -> None:
    """Let this connection's commits not wait for the disk, until it is released.

    For the relay: a mark that a crash of the server takes back means a message sent once more, with
    the same id and bytes, as after any crash between the two.
    """
    await conn.execute("SET synchronous_commit = off")


async def mark_published(conn: Connection, positions: Sequence[int]) -> None:
    """Note that these entries are on Kafka."""
    await conn.execute("DELETE FROM outbox_pending WHERE position = any($1::bigint[])", positions)


async def backlog(conn: Connection) -> tuple[int, float]:
    """Return how many entries wait, and for how many seconds the first of them has."""
    row = await conn.fetchrow(
        """
        SELECT count(*) AS pending,
               coalesce(extract(epoch FROM clock_timestamp() - (
                   SELECT created_at FROM outbox WHERE position = min(waiting.position))), 0
               ) AS oldest
        FROM outbox_pending AS waiting
        """
    )
    return (row["pending"], float(row["oldest"])) if row else (0, 0.0)
