"""Aggregate counts for the live page. Canary cases are excluded, except for the canary's own age.

All is read from views that have neither payloads nor case ids (migration 0011).

Queries that run every two seconds use indexes only: the log's index on time, and the cases' index
on their next check. Queries over all cases run in ``snapshot``, every half minute at most.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import NamedTuple

from streams.store.pool import Connection, Pool


async def committed(conn: Connection, since: datetime, seconds: int) -> dict[int, int]:
    """Return how many events were recorded since ``since``, by interval of ``seconds``.

    An interval's key is its Unix time divided by ``seconds``, rounded down. An interval without
    events has no key.
    """
    rows = await conn.fetch(
        """
        SELECT floor(extract(epoch FROM recorded_at) / $2::integer)::bigint, count(*)
        FROM event_arrival WHERE recorded_at >= $1 GROUP BY 1
        """,
        since,
        seconds,
    )
    return {row[0]: row[1] for row in rows}


async def last_event(conn: Connection, since: datetime) -> datetime | None:
    """Return when the last event was recorded, or None when there was none since ``since``."""
    found: datetime | None = await conn.fetchval(
        "SELECT max(recorded_at) FROM event_arrival WHERE recorded_at >= $1", since
    )
    return found


async def last_of_canaries(conn: Connection, case_ids: Sequence[str]) -> datetime | None:
    """Return when an event of these canary cases was last recorded; None when they have none."""
    found: datetime | None = await conn.fetchval(
        "SELECT max(recorded_at) FROM canary_arrival WHERE case_id = any($1::text[])", case_ids
    )
    return found


async def due_by_hour(conn: Connection, now: datetime, hours: int) -> list[int]:
    """Return how many cases fall due after ``now``, in its hour and in each of the next ones."""
    rows = await conn.fetch(
        """
        SELECT floor(extract(epoch FROM next_check_at - date_trunc('hour', $1::timestamptz, 'UTC'))
            / 3600)::integer, count(*)
        FROM case_figure
        WHERE next_check_at > $1 AND next_check_at <
            date_trunc('hour', $1::timestamptz, 'UTC') + $2::integer * interval '1 hour'
        GROUP BY 1
        """,
        now,
        hours,
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
    rows = await conn.fetch("SELECT step, conclusion, cases FROM case_reached ORDER BY 1, 2")
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
            SELECT level, raised_at AS at, true AS raised FROM escalation_figure
            WHERE raised_at >= $1
            UNION ALL
            SELECT level, withdrawn_at, false FROM escalation_figure
            WHERE withdrawn_at >= $1) AS moved
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
        since,
        zone,
    )
    return [Moved(*row) for row in rows]
