"""Outbox: messages to publish, written once, and the positions not yet marked as published.

A case's rows get their positions while the case is locked, so for one case the order of positions
is the order of commits: a transaction that sees a row also sees the case's earlier rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from schemas.chain import message_entry
from streams.store.pool import Connection
from streams.store.relay_lease import LEASE_SECONDS, RelayLostError


class OutboxEntry(NamedTuple):
    """One message to publish. ``headers`` and ``body`` are the exact bytes of every attempt."""

    message_id: str
    """A UUID, as text: it is a header too."""
    topic: str
    key: str
    headers: Mapping[str, str]
    """In the order in which they are sent, encoded as UTF-8."""
    body: bytes
    caused_at: datetime | None = None
    """When there was first something to announce; for latency metrics, not published."""
    link: int = 0
    """Number of the link of the case's chain that it is in."""

    @property
    def entry(self) -> bytes:
        """Return its hash in the chain of its case."""
        return message_entry(self.message_id, self.topic, self.key, self.stored_headers, self.body)

    @property
    def stored_headers(self) -> str:
        """Return the headers as stored."""
        return orjson.dumps([*self.headers.items()]).decode()


class Pending(NamedTuple):
    """Unpublished entry with its position, and the seconds since ``caused_at``."""

    position: int
    entry: OutboxEntry
    waited: float | None = None


class Written(NamedTuple):
    """Entries that a transaction wrote: once it has committed, the relay may publish them."""

    entries: Sequence[Pending] = ()
    others: frozenset[int] | None = frozenset()
    """Positions of all other unpublished entries that it saw, under the locks of its cases; None if
    they were too many to read."""


NOTHING_WRITTEN: Final = Written()


async def pending(conn: Connection, limit: int) -> list[Pending]:
    """Return the first ``limit`` unpublished entries, in position order."""
    # An array instead of a join: a plan made while the tables are small would be a merge join,
    # which reads the whole outbox up to the first pending position.
    rows = await conn.fetch(
        """
        SELECT position, message_id::text, topic, key, headers::text, body::text,
               caused_at, extract(epoch FROM clock_timestamp() - caused_at)::float8 AS waited
        FROM outbox WHERE position = any(ARRAY(
            SELECT position FROM outbox_pending ORDER BY position LIMIT $1))
        ORDER BY position
        """,
        limit,
    )
    return [
        Pending(
            position,
            OutboxEntry(
                message_id, topic, key, dict(orjson.loads(headers)), body.encode(), caused_at
            ),
            waited,
        )
        for position, message_id, topic, key, headers, body, caused_at, waited in rows
    ]


async def mark_published(conn: Connection, positions: Sequence[int], fence: int) -> None:
    """Mark these entries as published, if the relay's fencing number is still the newest.

    The check and the marks are one statement, which also renews the lease. The commit does not wait
    for the disk: if a server crash loses a mark, its message is published again with the same id
    and bytes, as after any crash between publishing and marking.

    Raises:
        RelayLostError: another relay took over; nothing was marked.
    """
    held = await conn.fetchval(
        """
        WITH held AS (
            UPDATE relay_lease SET expires_at = clock_timestamp() + make_interval(secs => $3)
            WHERE fence = $2 RETURNING set_config('synchronous_commit', 'off', true)),
        marked AS (
            DELETE FROM outbox_pending WHERE position = any($1::bigint[])
            AND EXISTS (SELECT FROM held))
        SELECT count(*) FROM held
        """,
        positions,
        fence,
        LEASE_SECONDS,
    )
    if not held:
        raise RelayLostError


async def last_routing(conn: Connection, case_id: str, at: datetime) -> dict[str, Any] | None:
    """Return the newest routing of a case that was announced by an instant, decoded, or None."""
    # The topic is written out, so that the index of routings fits.
    body: str | None = await conn.fetchval(
        """
        SELECT body::text FROM outbox
        WHERE topic = 'icam.case-routed.v1' AND key = $1 AND created_at <= $2
        ORDER BY position DESC LIMIT 1
        """,
        case_id,
        at,
    )
    return None if body is None else orjson.loads(body)


async def teams_between(
    conn: Connection, first: str, after: str | None, until: datetime
) -> dict[str, frozenset[tuple[str, str]]]:
    """Return the offices and tracks that cases were routed to up to ``until``, by case.

    Of the cases from ``first`` up to but excluding ``after``; None means no upper limit.
    """
    # The topic is written out, so that the index of routings fits.
    rows = await conn.fetch(
        """
        SELECT DISTINCT key, body->>'office_id', body->>'track' FROM outbox
        WHERE topic = 'icam.case-routed.v1' AND key >= $1 AND ($2::text IS NULL OR key < $2)
          AND created_at <= $3
        """,
        first,
        after,
        until,
    )
    found: dict[str, set[tuple[str, str]]] = {}
    for case_id, office_id, track in rows:
        found.setdefault(case_id, set()).add((office_id, track))
    return {case_id: frozenset(teams) for case_id, teams in found.items()}


async def backlog(conn: Connection) -> tuple[int, float]:
    """Return the number of unpublished entries, and the age of the first one in seconds."""
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
