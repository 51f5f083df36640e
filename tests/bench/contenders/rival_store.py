"""The SQL of the rivals: set-wise statements over psycopg, as its documentation advises.

Frozen: it imports nothing of ``streams.store``, so that what is saved there is not saved here.
Every statement takes a whole batch as arrays in binary (``%b``), and is prepared on first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from schemas.codec import Decoded

Connection = psycopg.Connection[tuple[Any, ...]]


class Place(NamedTuple):
    """Where a record was on Kafka."""

    topic: str
    partition: int
    offset: int


class Entry(NamedTuple):
    """One message to publish."""

    message_id: UUID
    topic: str
    key: str
    headers: str
    """As JSON."""
    body: str


def connect(url: str, name: str) -> Connection:
    """Open a connection whose statements are prepared on first use."""
    conn = psycopg.connect(
        url,
        autocommit=True,
        application_name=name,
        # A plan made while the tables are empty would keep scanning them when they are full.
        options="-c timezone=UTC -c jit=off -c enable_seqscan=off",
    )
    conn.prepare_threshold = 0
    return conn


def lock(conn: Connection, case_ids: Sequence[str]) -> list[tuple[Any, ...]]:
    """Insert missing cases, lock all in order, and return their rows with the time."""
    conn.execute(
        "INSERT INTO case_projection (case_id) SELECT unnest(%b::text[]) ON CONFLICT DO NOTHING",
        [case_ids],
    )
    return conn.execute(
        "SELECT case_id, link, route::text, routings, endings, known_since, clock_timestamp()"
        " FROM case_projection WHERE case_id = any(%b::text[]) ORDER BY case_id FOR UPDATE",
        [case_ids],
    ).fetchall()


def append(
    conn: Connection, events: Sequence[tuple[Decoded, Place]], links: Sequence[int]
) -> set[tuple[UUID, str]]:
    """Append events that are not in the log; return the ids and sources of those."""
    rows = conn.execute(
        """
        INSERT INTO case_event (event_id, source, case_id, type, occurred_at, payload, digest,
                                topic, "partition", "offset", link)
        SELECT event_id, source, case_id, type, occurred_at, payload::json, digest, topic,
               "partition", "offset", link
        FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::text[],
                    %b::bytea[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[])
             AS new (event_id, source, case_id, type, occurred_at, payload, digest, topic,
                     "partition", "offset", link)
        ON CONFLICT DO NOTHING RETURNING event_id, source
        """,
        [
            [event.event_id for event, _ in events],
            [event.source for event, _ in events],
            [event.case_id for event, _ in events],
            [event.type for event, _ in events],
            [event.time for event, _ in events],
            [event.payload.decode() for event, _ in events],
            [event.digest for event, _ in events],
            [place.topic for _, place in events],
            [place.partition for _, place in events],
            [place.offset for _, place in events],
            links,
        ],
    ).fetchall()
    return {(event_id, source) for event_id, source in rows}


def log(conn: Connection, case_ids: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return all events of cases."""
    return conn.execute(
        "SELECT case_id, occurred_at, event_id, type, payload::text, source FROM case_event"
        " WHERE case_id = any(%b::text[])",
        [case_ids],
    ).fetchall()


def ledger(conn: Connection, case_ids: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the last round of each escalation of cases."""
    return conn.execute(
        """
        SELECT DISTINCT ON (escalation_id)
               case_id, withdrawn_at IS NULL, escalation_id, round, rule_id, level, order_id,
               office_id, track, policy_digest, raised_at, reminder
        FROM escalation WHERE case_id = any(%b::text[]) ORDER BY escalation_id, round DESC
        """,
        [case_ids],
    ).fetchall()


def open_letters(conn: Connection, case_ids: Sequence[str]) -> list[tuple[str, str, datetime]]:
    """Return case, topic and time of the open dead letters of cases."""
    return [
        (case_id, topic, at)
        for case_id, topic, at in conn.execute(
            "SELECT case_id, topic, recorded_at FROM dead_letter"
            " WHERE resolved_at IS NULL AND case_id = any(%b::text[])",
            [case_ids],
        )
    ]


def set_aside(conn: Connection, letters: Sequence[tuple[Place, str, bytes, str]]) -> None:
    """Store records that are no events: place, case, value and reason."""
    with conn.cursor() as cursor:
        cursor.executemany(
            'INSERT INTO dead_letter (topic, "partition", "offset", case_id, value, reason)'
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [(*place, case_id, value, reason) for place, case_id, value, reason in letters],
        )


def save(conn: Connection, rows: Sequence[tuple[Any, ...]], now: datetime) -> None:
    """Update projections; the rows are in the order of the columns below."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    conn.execute(
        """
        UPDATE case_projection AS held SET
            link = new.link, digest = new.digest, events = new.events, order_id = new.order_id,
            status = new.status, office_id = new.office_id, track = new.track, level = new.level,
            route = new.route::json, routings = new.routings, endings = new.endings,
            next_check_at = new.next_check_at::timestamptz, next_reason = new.next_reason,
            owner = new.owner, known_since = coalesce(held.known_since, %b), updated_at = %b
        FROM unnest(%b::text[], %b::bigint[], %b::bytea[], %b::bigint[], %b::text[], %b::text[],
                    %b::text[], %b::text[], %b::bigint[], %b::text[], %b::bigint[], %b::bigint[],
                    %b::text[], %b::text[], %b::text[])
             AS new (case_id, link, digest, events, order_id, status, office_id, track, level,
                     route, routings, endings, next_check_at, next_reason, owner)
        WHERE held.case_id = new.case_id
        """,
        [now, now, *columns],
    )


def raise_(conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert escalations; the rows are in the order of the columns below."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    conn.execute(
        """
        INSERT INTO escalation (escalation_id, round, rule_id, level, order_id, office_id, track,
                                policy_digest, raised_at, reminder, case_id, message_id)
        SELECT * FROM unnest(%b::uuid[], %b::bigint[], %b::text[], %b::bigint[], %b::text[],
                             %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::bigint[],
                             %b::text[], %b::uuid[])
        """,
        columns,
    )


def withdraw(conn: Connection, rows: Sequence[tuple[UUID, int]], now: datetime) -> None:
    """Mark rounds of escalations as withdrawn."""
    conn.execute(
        """
        UPDATE escalation AS held SET withdrawn_at = %b
        FROM unnest(%b::uuid[], %b::bigint[]) AS new (escalation_id, round)
        WHERE held.escalation_id = new.escalation_id AND held.round = new.round
        """,
        [now, [one for one, _ in rows], [nth for _, nth in rows]],
    )


def put(conn: Connection, entries: Sequence[Entry]) -> None:
    """Insert messages in this order, and name them as not published."""
    conn.execute(
        """
        WITH added AS (
            INSERT INTO outbox (message_id, topic, key, headers, body)
            SELECT message_id, topic, key, headers::json, body::json
            FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[])
                 WITH ORDINALITY AS new (message_id, topic, key, headers, body, nth)
            ORDER BY nth RETURNING position)
        INSERT INTO outbox_pending SELECT position FROM added
        """,
        [list(column) for column in zip(*entries, strict=True)],
    )


def pending(conn: Connection, limit: int) -> list[tuple[int, str, str, str, str]]:
    """Return the first messages that are not published: position, topic, key, headers, body."""
    return [
        (position, topic, key, headers, body)
        for position, topic, key, headers, body in conn.execute(
            """
            SELECT position, topic, key, headers::text, body::text FROM outbox
            WHERE position = any(ARRAY(
                SELECT position FROM outbox_pending ORDER BY position LIMIT %b))
            ORDER BY position
            """,
            [limit],
        )
    ]


def mark(conn: Connection, positions: Sequence[int]) -> None:
    """Note that messages are published."""
    conn.execute("DELETE FROM outbox_pending WHERE position = any(%b::bigint[])", [positions])
