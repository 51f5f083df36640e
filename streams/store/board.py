"""Aggregate counts for the live page. Canary cases are excluded, except for the canary's own age.

Queries that run every two seconds use indexes only: the log's index on time, and the cases' index
on their next check. Queries over all cases run in ``snapshot``, every half minute at most.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import NamedTuple

from streams.store.pool import Connection, Pool
from streams.store.statistics import CANARY_PATTERN


async def committed(conn: Connection, since: datetime, seconds: int) -> dict[int, int]:
    """Return how many events were recorded since ``since``, by interval of ``seconds``.

    An interval's key is its Unix time divided by ``seconds``, rounded down. An interval without
    events has no key.
    """
    rows = await conn.fetch(
        """
        SELECT floor(extract(epoch FROM recorded_at) / $2::integer)::bigint, count(*)
        FROM case_event WHERE recorded_at >= $1 AND case_id NOT LIKE $3 GROUP BY 1
        """,
        since,
        seconds,
        CANARY_PATTERN,
    )
    return {row[0]: row[1] for row in rows}


async def last_event(conn: Connection, since: datetime) -> datetime | None:
    """Return when the last event was recorded, or None when there was none since ``since``."""
    found: datetime | None = await conn.fetchval(
        "SELECT max(recorded_at) FROM case_event WHERE recorded_at >= $1 AND case_id NOT LIKE $2",
        since,
        CANARY_PATTERN,
    )
    return found


async def last_of_cases(conn: Connection, case_ids: Sequence[str]) -> datetime | None:
    """Return when an event of these cases was last recorded, or None when they have none."""
    found: datetime | None = await conn.fetchval(
        "SELECT max(recorded_at) FROM case_event WHERE case_id = any($1::text[])", case_ids
    )
    return found


async def due_by_hour(conn: Connection, now: datetime, hours: int) -> list[int]:
    """Return how many cases fall due in each of the next ``hours`` hours after ``now``."""
    rows = await conn.fetch(
        """
        SELECT floor(extract(epoch FROM next_check_at - $1::timestamptz) / 3600)::integer, count(*)
        FROM case_projection
        WHERE next_check_at > $1 AND next_check_at < $1 + $2::integer * interval '1 hour'
          AND case_id NOT LIKE $3
        GROUP BY 1
        """,
        now,
        hours,
        CANARY_PATTERN,
    )
    found = {row[0]: row[1] for row in rows}
    return [found.get(hour, 0) for hour in range(hours)]


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """Open a read-only snapshot as of one instant, in which sequential scans are allowed."""
    async with (
        pool.acquire() as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        await conn.execute("SET LOCAL enable_seqscan = on")
        yield conn


class Reached(NamedTuple):
    """Number of open cases with an order whose furthest step is this one."""

    step: str
    """``ordered``; ``invited``: an appointment was planned or missed; ``seen``: interviewed."""
    conclusion: str | None
    """Conclusion of the latest interview; None without an interview."""
    cases: int


async def reached(conn: Connection) -> list[Reached]:
    """Return the number of open cases by furthest step and conclusion.

    For each interview, the newest version counts. The total is that of the open cases with an
    order. Reads the whole log.
    """
    rows = await conn.fetch(
        """
        WITH interview AS (
            SELECT DISTINCT ON (case_id, payload->>'interview_id')
                   case_id, event_id, payload->>'conclusion' AS conclusion,
                   (payload->>'held_at')::timestamptz AS held_at
            FROM case_event
            WHERE type = 'icam.interview-completed.v1' AND case_id NOT LIKE $1
            ORDER BY case_id, payload->>'interview_id', occurred_at DESC, event_id DESC),
        last AS (
            SELECT DISTINCT ON (case_id) case_id, conclusion FROM interview
            ORDER BY case_id, held_at DESC, event_id DESC),
        invited AS (
            SELECT DISTINCT case_id FROM case_event
            WHERE type IN ('icam.appointment-planned.v1', 'icam.appointment-missed.v1')
               OR type = 'icam.oqt-issued.v1' AND payload->>'first_appointment' IS NOT NULL)
        SELECT CASE WHEN last.case_id IS NOT NULL THEN 'seen'
                    WHEN invited.case_id IS NOT NULL THEN 'invited' ELSE 'ordered' END,
               conclusion, count(*)
        FROM case_projection LEFT JOIN last USING (case_id) LEFT JOIN invited USING (case_id)
        WHERE route IS NOT NULL AND ended_at IS NULL AND case_id NOT LIKE $1
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
        CANARY_PATTERN,
    )
    return [Reached(*row) for row in rows]


class Moved(NamedTuple):
    """Number of escalations of one level that were raised and withdrawn on one local day."""

    day: date
    level: int
    raised: int
    withdrawn: int


async def escalations_since(conn: Connection, since: datetime, zone: str) -> list[Moved]:
    """Return the escalations raised and withdrawn since ``since``, by local day and level."""
    rows = await conn.fetch(
        """
        SELECT (at AT TIME ZONE $2)::date, level, count(*) FILTER (WHERE raised)::integer,
               count(*) FILTER (WHERE NOT raised)::integer
        FROM (
            SELECT case_id, level, raised_at AS at, true AS raised FROM escalation
            WHERE raised_at >= $1
            UNION ALL
            SELECT case_id, level, withdrawn_at, false FROM escalation
            WHERE withdrawn_at >= $1) AS moved
        WHERE case_id NOT LIKE $3 GROUP BY 1, 2 ORDER BY 1, 2
        """,
        since,
        zone,
        CANARY_PATTERN,
    )
    return [Moved(*row) for row in rows]
