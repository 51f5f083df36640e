"""Counts over all cases, for summaries, gauges and pages. Aggregates only; the canary left out.

Each reads a whole table: ask every half minute, not every second.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from schemas.canary import PREFIX
from streams.store.pool import Connection

CANARYS: Final = f"{PREFIX}%"
"""What the case ids of the canary are LIKE; every count of cases leaves them out."""


async def cases_by_office(conn: Connection) -> list[tuple[str, str, int]]:
    """Return office, track and number of cases, for all that are routed."""
    rows = await conn.fetch(
        """
        SELECT office_id, track, count(*) FROM case_projection
        WHERE office_id IS NOT NULL AND case_id NOT LIKE $1 GROUP BY 1, 2 ORDER BY 1, 2
        """,
        CANARYS,
    )
    return [tuple(row) for row in rows]


class Aged(NamedTuple):
    """How many cases of an office's team have an order of an age, in days."""

    office_id: str
    track: str
    age: str
    cases: int


async def cases_by_age(conn: Connection, now: datetime) -> list[Aged]:
    """Return cases with an order by office, track and age of the order that is in force."""
    rows = await conn.fetch(
        """
        SELECT office_id, track, CASE
                   WHEN days < 8 THEN '0-7' WHEN days < 31 THEN '8-30' WHEN days < 91 THEN '31-90'
                   WHEN days < 366 THEN '91-365' ELSE '366+' END AS age, count(*)
        FROM (SELECT office_id, track,
                     extract(epoch FROM $2::timestamptz - (route->>'as_of')::timestamptz)
                         / 86400 AS days
              FROM case_projection WHERE route IS NOT NULL AND case_id NOT LIKE $1) AS routed
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
        CANARYS,
        now,
    )
    return [Aged(*row) for row in rows]


async def cases_by_status(conn: Connection) -> list[tuple[str, int]]:
    """Return status and number of cases."""
    rows = await conn.fetch(
        """
        SELECT status, count(*) FROM case_projection WHERE case_id NOT LIKE $1
        GROUP BY 1 ORDER BY 1
        """,
        CANARYS,
    )
    return [tuple(row) for row in rows]


async def unrouted(conn: Connection) -> list[tuple[str, int]]:
    """Return how many cases no office follows: without an order, or in triage by which rule."""
    rows = await conn.fetch(
        """
        SELECT coalesce(route->>'rule_id', 'awaiting_order') AS reason, count(*)
        FROM case_projection
        WHERE (route IS NULL OR track = 'triage') AND case_id NOT LIKE $1 GROUP BY 1 ORDER BY 1
        """,
        CANARYS,
    )
    return [tuple(row) for row in rows]


async def guards_blocking(conn: Connection) -> list[tuple[str, int]]:
    """Return each guard that holds a rule back somewhere, and in how many cases it does."""
    rows = await conn.fetch(
        """
        SELECT by->>'guard' AS guard, count(DISTINCT case_id)
        FROM case_projection, json_array_elements(blocked) AS rule,
             json_array_elements(rule->'by') AS by
        WHERE case_id NOT LIKE $1 GROUP BY 1 ORDER BY 1
        """,
        CANARYS,
    )
    return [tuple(row) for row in rows]


class Entered(NamedTuple):
    """How many entries of the ledger are alike, and whether they stand."""

    office_id: str
    track: str
    level: int
    rule_id: str
    open: bool
    escalations: int


async def escalations(conn: Connection) -> list[Entered]:
    """Return the ledger by office, track, level and rule, open and withdrawn apart."""
    rows = await conn.fetch(
        """
        SELECT office_id, track, level, rule_id, withdrawn_at IS NULL, count(*)
        FROM escalation WHERE case_id NOT LIKE $1 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
        """,
        CANARYS,
    )
    return [Entered(*row) for row in rows]


async def escalations_by_rule(conn: Connection) -> list[tuple[int, str, int, int]]:
    """Return level, rule, and how many stand and were withdrawn."""
    rows = await conn.fetch(
        """
        SELECT level, rule_id, count(*) FILTER (WHERE withdrawn_at IS NULL), count(withdrawn_at)
        FROM escalation WHERE case_id NOT LIKE $1 GROUP BY 1, 2 ORDER BY 1, 2
        """,
        CANARYS,
    )
    return [tuple(row) for row in rows]


async def dead_letters_by_reason(conn: Connection) -> list[tuple[str, int]]:
    """Return reason and number of open dead letters."""
    rows = await conn.fetch(
        """
        SELECT reason, count(*) FROM dead_letter WHERE resolved_at IS NULL GROUP BY 1 ORDER BY 1
        """
    )
    return [tuple(row) for row in rows]
