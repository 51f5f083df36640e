"""Event log of all cases, in one table that also serves as inbox and deduplicates events.

Errors::

    UnreadableEvent(event_id)   a stored payload no longer fits its type
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import orjson
from pydantic import ValidationError

from schemas.codec import Decoded
from schemas.events import EVENT_TYPES
from streams.domain.case import Fact
from streams.store.pool import Connection


class UnreadableEvent(Exception):
    """A stored payload, valid when appended, no longer fits its type; named by its event id only.

    Return to the version that stored it, or write a migration that converts it.
    """

    def __init__(self, event_id: UUID) -> None:
        super().__init__(f"event {event_id} in case_event no longer fits its type")
        self.event_id = event_id


@dataclass(frozen=True, slots=True)
class Position:
    """Position of a record on Kafka."""

    topic: str
    partition: int
    offset: int


async def append(conn: Connection, events: Iterable[tuple[Decoded, Position]]) -> set[UUID]:
    """Append new events and return their ids; one statement, in id order.

    An event whose id is already in the log is skipped, even if its content differs; compare
    ``digests`` to detect that. The fixed order prevents a deadlock between two workers that append
    the same ids.
    """
    rows = [
        {
            "event_id": event.event_id,
            "case_id": event.case_id,
            "type": event.type,
            "source": event.source,
            "occurred_at": event.time,
            "payload": orjson.Fragment(event.payload),
            "digest": event.digest.hex(),
            "topic": position.topic,
            "partition": position.partition,
            "offset": position.offset,
        }
        for event, position in sorted(events, key=lambda pair: pair[0].event_id)
    ]
    added = await conn.fetch(
        """
        INSERT INTO case_event (event_id, case_id, type, source, occurred_at, payload, digest,
                                topic, "partition", "offset")
        SELECT event_id, case_id, type, source, occurred_at, payload, decode(digest, 'hex'),
               topic, "partition", "offset"
        FROM json_to_recordset($1::json) AS event (
            event_id uuid, case_id text, type text, source text, occurred_at timestamptz,
            payload json, digest text, topic text, "partition" integer, "offset" bigint)
        ON CONFLICT (event_id) DO NOTHING
        RETURNING event_id
        """,
        orjson.dumps(rows).decode(),
    )
    return {row["event_id"] for row in added}


async def log(conn: Connection, case_ids: Sequence[str]) -> dict[str, list[Fact]]:
    """Return all events of these cases, in no particular order; cases without events are left out.

    Raises:
        UnreadableEvent: a stored payload, valid when appended, no longer fits its type.
    """
    return _facts(
        await conn.fetch(
            """
            SELECT case_id, occurred_at, event_id, type, payload::text
            FROM case_event WHERE case_id = any($1::text[])
            """,
            case_ids,
        )
    )


async def log_between(conn: Connection, first: str, after: str | None) -> dict[str, list[Fact]]:
    """Return all events of the cases from ``first`` up to but excluding ``after``.

    ``after`` None means no upper limit. Raises as ``log`` does.
    """
    return _facts(
        await conn.fetch(
            """
            SELECT case_id, occurred_at, event_id, type, payload::text
            FROM case_event WHERE case_id >= $1 AND ($2::text IS NULL OR case_id < $2)
            """,
            first,
            after,
        )
    )


def _facts(rows: Iterable[asyncpg.Record]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = {}
    for case_id, occurred_at, event_id, type_, payload in rows:
        try:
            event = EVENT_TYPES[type_].model_validate_json(payload)
        except (KeyError, ValidationError):
            raise UnreadableEvent(event_id) from None
        found.setdefault(case_id, []).append(Fact(occurred_at, event_id, event))
    return found


async def digests(conn: Connection, event_ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Return the digests of these events; events not in the log are left out."""
    rows = await conn.fetch(
        "SELECT event_id, digest FROM case_event WHERE event_id = any($1::uuid[])", event_ids
    )
    return {row["event_id"]: row["digest"] for row in rows}


async def history(conn: Connection, case_id: str) -> list[dict[str, object]]:
    """Return the log of one case for display, oldest event first."""
    rows = await conn.fetch(
        """
        SELECT event_id, type, source, occurred_at, recorded_at, payload::text AS payload,
               topic, "partition", "offset"
        FROM case_event WHERE case_id = $1 ORDER BY occurred_at, event_id
        """,
        case_id,
    )
    return [{**row, "payload": orjson.loads(row["payload"])} for row in rows]
