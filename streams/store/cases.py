"""Case projections: one row per case, locked before it is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import asyncpg
import orjson

from schemas.chain import NO_LINKS, Head
from schemas.outcomes import CASE_ROUTED_TOPIC, CASE_STATE_TOPIC
from streams.store.pool import Connection


class CaseRow(NamedTuple):
    """Columns of a projection, as read when it was locked."""

    case_id: str
    route: dict[str, Any] | None
    routings: int
    endings: int
    known_since: datetime | None
    """When the case was first decided; None before that."""
    head: Head = NO_LINKS
    """Head of its chain."""


class Saved(NamedTuple):
    """A complete projection to store. ``route`` and ``blocked`` are encoded JSON."""

    case_id: str
    digest: bytes
    events: int
    order_id: str | None
    status: str
    office_id: str | None
    track: str | None
    route: bytes
    routings: int
    level: int
    blocked: bytes
    next_check_at: datetime | None
    next_reason: str
    owner: str
    ended_at: datetime | None
    end_reason: str | None
    endings: int
    reference_digest: str


_NAMES: Final = 0x1CA4
"""Class of the advisory locks on the names of cases that don't exist."""
_BUCKETS: Final = 64
"""Names share so many locks, as the server's table of locks is small."""
_MISSING: Final = f"""
    missing AS MATERIALIZED (
        SELECT unnest($1::text[]) AS case_id
        EXCEPT SELECT case_id FROM case_projection WHERE case_id = any($1::text[])),
    bucket AS MATERIALIZED (
        SELECT DISTINCT hashtext(case_id) & {_BUCKETS - 1} AS bucket FROM missing ORDER BY 1)
"""  # noqa: S608 - constants
_NAMED: Final = f"""{_MISSING},
    named AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared({_NAMES}, bucket) FROM bucket)
"""  # noqa: S608 - constants
_AFTER_NAMED: Final = "(SELECT count(*) FROM named) >= 0"
"""Names are locked before any row, or two transactions could wait for each other."""
# A union takes its parts in turn: every insert comes before the first lock of a row.
_LOCK: Final = f"""
    WITH {_NAMED},
    placed AS (
        INSERT INTO case_projection (case_id)
        SELECT case_id FROM missing WHERE {_AFTER_NAMED} ORDER BY 1
        ON CONFLICT (case_id) DO NOTHING
        RETURNING case_id, route::text AS route, routings, endings, known_since, links,
                  entries, head)
    SELECT * FROM placed
    UNION ALL
    SELECT * FROM (
        SELECT case_id, route::text AS route, routings, endings, known_since, links,
               entries, head
        FROM case_projection WHERE case_id = any($1::text[])
        ORDER BY case_id FOR UPDATE) AS held
"""  # noqa: S608 - constants


async def known(
    conn: Connection, case_ids: Collection[str], creating: Collection[str] = ()
) -> set[str]:
    """Return those of these cases that exist; keep others from creating the rest.

    Until this transaction ends, no other creates one of the rest. So it may write what concerns
    them without a row to lock: whoever creates one later reads what was written. Blocks while
    another transaction creates one. Call it before ``lock``. ``creating`` are the cases that are
    locked next, new or not: none of them counts as one of the rest.
    """
    found = await _existing(conn, case_ids)
    missing = set(case_ids) - found - set(creating)
    if not missing:
        return found
    await conn.execute(
        f"WITH {_MISSING} SELECT pg_advisory_xact_lock({_NAMES}, bucket) FROM bucket",  # noqa: S608
        list(missing.union(creating)),
    )
    return found | await _existing(conn, missing)


async def _existing(conn: Connection, case_ids: Collection[str]) -> set[str]:
    if not case_ids:
        return set()
    rows = await conn.fetch(
        "SELECT case_id FROM case_projection WHERE case_id = any($1::text[])", list(case_ids)
    )
    return {row["case_id"] for row in rows}


async def lock(conn: Connection, case_ids: Iterable[str]) -> list[CaseRow]:
    """Lock the rows of these cases in case-id order and return them; one statement.

    Missing rows are inserted first, so that new cases can be locked too. Otherwise two workers
    could overwrite each other's updates. Blocks while another transaction locks one of the rows, or
    writes what concerns a missing one, as ``known`` says.
    """
    ordered = sorted(set(case_ids))
    while True:
        rows = await conn.fetch(_LOCK, ordered)
        if len(rows) == len(ordered):
            return sorted([_row(row) for row in rows])
        # Another transaction inserted one meanwhile: this statement did not see it, the next does.


def _row(row: asyncpg.Record) -> CaseRow:
    return CaseRow(
        row["case_id"],
        orjson.loads(row["route"]) if row["route"] else None,
        row["routings"],
        row["endings"],
        row["known_since"],
        Head(row["links"], row["entries"], row["head"]),
    )


async def read(conn: Connection, case_ids: Collection[str]) -> list[CaseRow]:
    """Return the rows of these cases, in order, without a lock."""
    rows = await conn.fetch(
        """
        SELECT case_id, route::text AS route, routings, endings, known_since, links, entries, head
        FROM case_projection WHERE case_id = any($1::text[]) ORDER BY case_id
        """,
        list(case_ids),
    )
    return [_row(row) for row in rows]


async def open_under_others(conn: Connection, policy: str) -> list[tuple[str, str]]:
    """Return the open cases that another policy than this one applies to, each with that policy.

    A policy is named by the first 32 digits of its digest. Cases are in order.
    """
    rows = await conn.fetch(
        """
        SELECT case_id, substr(reference_digest, 1, 32) FROM case_projection
        WHERE ended_at IS NULL AND order_id IS NOT NULL
            AND substr(reference_digest, 1, 32) IS DISTINCT FROM $1
        ORDER BY case_id
        """,
        policy,
    )
    return [(case_id, digest or "") for case_id, digest in rows]


async def hold_back(
    conn: Connection, rows: Mapping[str, tuple[Head, datetime]], now: datetime
) -> None:
    """Mark cases that can't be folded: no level, and their next check.

    ``rows`` has the head of each case's chain and its next check, by case. The rest of the
    projection stays that of the last fold. This transaction must have locked the rows.
    """
    await conn.execute(
        """
        UPDATE case_projection AS held
        SET status = CASE WHEN ended_at IS NULL THEN 'needs_repair' ELSE status END,
            level = 0, blocked = '[]', next_reason = 'dead_letter',
            next_check_at = new.next_check_at,
            owner = coalesce(owner, 'team_lead'), known_since = coalesce(known_since, $2),
            updated_at = $2, links = new.links, entries = new.entries, head = new.head
        FROM unnest($1::text[], $3::int[], $4::int[], $5::bytea[], $6::timestamptz[])
             AS new (case_id, links, entries, head, next_check_at)
        WHERE held.case_id = new.case_id
        """,
        list(rows),
        now,
        [head.links for head, _ in rows.values()],
        [head.entries for head, _ in rows.values()],
        [head.hash for head, _ in rows.values()],
        [at for _, at in rows.values()],
    )


async def ranges(conn: Connection, size: int) -> list[tuple[str, str | None]]:
    """Split all cases with events or a projection into ranges of about ``size`` cases, in order.

    Each range is its first case id and the first case id of the next range. The second is None for
    the last range.
    """
    rows = await conn.fetch(
        """
        SELECT case_id FROM (
            SELECT case_id, row_number() OVER (ORDER BY case_id) AS nth
            FROM (SELECT case_id FROM case_event UNION SELECT case_id FROM case_projection) AS held
        ) AS numbered WHERE (nth - 1) % $1 = 0 ORDER BY case_id
        """,
        size,
    )
    firsts = [row["case_id"] for row in rows]
    return list(zip_longest(firsts, firsts[1:]))


async def between(
    conn: Connection, first: str, after: str | None
) -> dict[str, tuple[Saved, datetime | None, datetime | None]]:
    """Return the projections from ``first`` up to but excluding ``after``.

    With each comes when it was saved, and when the case was first decided.

    ``after`` None means no upper limit.
    """
    rows = await conn.fetch(
        """
        SELECT case_id, digest, events, order_id, status, office_id, track,
               coalesce(route::text, 'null') AS route, routings, level, blocked::text AS blocked,
               next_check_at, coalesce(next_reason, '') AS next_reason,
               coalesce(owner, '') AS owner, ended_at, end_reason, endings, reference_digest,
               updated_at, known_since
        FROM case_projection WHERE case_id >= $1 AND ($2::text IS NULL OR case_id < $2)
        """,
        first,
        after,
    )
    found = {}
    for row in rows:
        fields = dict(row)
        updated_at, known_since = fields.pop("updated_at"), fields.pop("known_since")
        texts = {name: fields[name].encode() for name in ("route", "blocked")}
        found[row["case_id"]] = (Saved(**(fields | texts)), updated_at, known_since)
    return found


async def restore(conn: Connection, case_ids: Sequence[str]) -> list[str]:
    """Insert the missing rows of these cases, each with what was announced for it; return them.

    That is its last route, and how many routings and ends. Reads the whole outbox. Existing rows
    are not changed.
    """
    rows = await conn.fetch(
        f"""
        WITH {_NAMED}
        INSERT INTO case_projection (case_id, route, routings, endings, known_since)
        SELECT DISTINCT ON (case_id) case_id, said.body, count(said.*) OVER (PARTITION BY case_id),
               (SELECT count(*) FROM outbox AS ends
                WHERE ends.topic = $3 AND ends.key = wanted.case_id),
               (SELECT min(recorded_at) FROM case_event AS event
                WHERE event.case_id = wanted.case_id)
        FROM unnest($1::text[]) AS wanted (case_id)
        LEFT JOIN (SELECT key, position, body FROM outbox WHERE topic = $2) AS said
          ON said.key = wanted.case_id
        WHERE {_AFTER_NAMED}
        ORDER BY case_id, said.position DESC
        ON CONFLICT (case_id) DO NOTHING
        RETURNING case_id
        """,  # noqa: S608 - constants
        case_ids,
        CASE_ROUTED_TOPIC,
        CASE_STATE_TOPIC,
    )
    return [row["case_id"] for row in rows]


async def due(conn: Connection, now: datetime, limit: int) -> list[tuple[str, datetime]]:
    """Lock and return cases whose next check is due, with the time it was due, earliest first.

    Does not block: cases locked by another transaction are skipped, as they are being processed.
    """
    rows = await conn.fetch(
        """
        SELECT case_id, next_check_at FROM case_projection WHERE next_check_at <= $1
        ORDER BY next_check_at LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        now,
        limit,
    )
    return [(row["case_id"], row["next_check_at"]) for row in rows]


async def next_due(conn: Connection) -> datetime | None:
    """Return when the first case falls due, or since when it has been; None without any."""
    first: datetime | None = await conn.fetchval("SELECT min(next_check_at) FROM case_projection")
    return first


async def mark_stale(
    conn: Connection, reference_digest: str, now: datetime, limit: int = 10_000
) -> int:
    """Make cases decided under other reference data due now; return how many were changed.

    ``reference_digest`` is the one over all tables, with which that of a case ends.

    Changes at most ``limit`` cases, locked in the same order as everywhere else. Call it until it
    returns 0, each time in a new transaction.
    """
    done: str = await conn.execute(
        """
        UPDATE case_projection SET next_check_at = $2
        WHERE case_id IN (
            SELECT case_id FROM case_projection
            WHERE substr(reference_digest, 129) IS DISTINCT FROM $1
              AND (next_check_at IS NULL OR next_check_at > $2)
            ORDER BY case_id LIMIT $3 FOR UPDATE)
        """,
        reference_digest,
        now,
        limit,
    )
    return int(done.rsplit(" ", 1)[1])


async def mark_blocked(conn: Connection, latest: datetime, now: datetime) -> int:
    """Make open cases with open dead letters due now if their next check is later than ``latest``.

    Returns how many were changed, locked in the same order as everywhere else. A worker of the
    version before checks such a case only after the longest pause.
    """
    done: str = await conn.execute(
        """
        UPDATE case_projection SET next_check_at = $2
        WHERE case_id IN (
            SELECT case_id FROM case_projection
            WHERE next_check_at > $1 AND ended_at IS NULL AND case_id IN (
                SELECT unnest(case_ids) FROM dead_letter WHERE resolved_at IS NULL)
            ORDER BY case_id FOR UPDATE)
        """,
        latest,
        now,
    )
    return int(done.rsplit(" ", 1)[1])


async def overdue(conn: Connection, now: datetime) -> tuple[int, float]:
    """Return how many cases are overdue, and by how many seconds the oldest is."""
    row = await conn.fetchrow(
        """
        SELECT count(*) AS due, coalesce(extract(epoch FROM $1 - min(next_check_at)), 0) AS oldest
        FROM case_projection WHERE next_check_at <= $1
        """,
        now,
    )
    return (row["due"], float(row["oldest"])) if row else (0, 0.0)


async def due_until(conn: Connection, now: datetime, until: datetime) -> int:
    """Return how many cases fall due after ``now`` and up to ``until``, inclusive."""
    found: int = await conn.fetchval(
        """
        SELECT count(*) FROM case_projection WHERE next_check_at > $1 AND next_check_at <= $2
        """,
        now,
        until,
    )
    return found


async def known_since(conn: Connection, case_id: str) -> tuple[bool, datetime | None]:
    """Return whether a case exists, and when it was first decided; None before that."""
    row = await conn.fetchrow("SELECT known_since FROM case_projection WHERE case_id = $1", case_id)
    return (False, None) if row is None else (True, row["known_since"])


async def show(conn: Connection, case_id: str) -> dict[str, Any] | None:
    """Return one projection for display, or None when the case is unknown."""
    row = await conn.fetchrow(
        """
        SELECT case_id, status, order_id, office_id, track, level, events, next_check_at,
               next_reason, owner, ended_at, end_reason, updated_at, route::text AS route,
               blocked::text AS blocked
        FROM case_projection WHERE case_id = $1
        """,
        case_id,
    )
    if row is None:
        return None
    decoded = {name: orjson.loads(row[name] or "null") for name in ("route", "blocked")}
    return {**row, **decoded}
