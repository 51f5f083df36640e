"""Aggregate counts over all cases, for summaries, gauges and pages. Canary cases are excluded.

All is read from views that have neither payloads nor case ids (migration 0011).

A case is open while its follow-up has not ended. Each function reads a whole table: call it every
half minute, not every second.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from schemas.canary import PREFIX
from streams.store.pool import Connection

CANARY_PATTERN: Final = f"{PREFIX}%"
"""LIKE pattern of the canary's case ids, which every count of cases excludes."""


async def cases_by_office(conn: Connection) -> list[tuple[str, str, int]]:
    """Return office, track and number of open cases with an order."""
    rows = await conn.fetch(
        """
        SELECT office_id, track, count(*) FROM case_figure
        WHERE routed AND ended_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2
        """
    )
    return [tuple(row) for row in rows]


class CasesByAge(NamedTuple):
    """Number of open cases of one office and track whose order has an age, as a range of days."""

    office_id: str
    track: str
    age: str
    cases: int


async def cases_by_age(conn: Connection, now: datetime) -> list[CasesByAge]:
    """Return the number of open cases by office, track and age of their current order."""
    rows = await conn.fetch(
        """
        SELECT office_id, track, CASE
                   WHEN days < 8 THEN '0-7' WHEN days < 31 THEN '8-30' WHEN days < 91 THEN '31-90'
                   WHEN days < 366 THEN '91-365' ELSE '366+' END AS age, count(*)
        FROM (SELECT office_id, track,
                     extract(epoch FROM $1::timestamptz - ordered_at) / 86400 AS days
              FROM case_figure WHERE routed AND ended_at IS NULL) AS routed
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
        now,
    )
    return [CasesByAge(*row) for row in rows]


async def cases_by_status(conn: Connection) -> list[tuple[str, int]]:
    """Return status and number of cases; those whose follow-up ended have the status ``ended``."""
    rows = await conn.fetch(
        "SELECT status, count(*) FROM case_figure GROUP BY 1 ORDER BY 1",
    )
    return [tuple(row) for row in rows]


async def ended_by_reason(conn: Connection) -> list[tuple[str, int]]:
    """Return the reason for the end of the follow-up, and the number of ended cases."""
    rows = await conn.fetch(
        """
        SELECT end_reason, count(*) FROM case_figure
        WHERE ended_at IS NOT NULL GROUP BY 1 ORDER BY 1
        """
    )
    return [tuple(row) for row in rows]


async def unrouted(conn: Connection) -> list[tuple[str, int]]:
    """Return reason and number of open cases that no office follows.

    The reason is ``awaiting_order`` without an order, or the id of the rule that routed the case to
    triage.
    """
    rows = await conn.fetch(
        """
        SELECT coalesce(routing_rule, 'awaiting_order') AS reason, count(*) FROM case_figure
        WHERE (NOT routed OR track = 'triage') AND ended_at IS NULL GROUP BY 1 ORDER BY 1
        """
    )
    return [tuple(row) for row in rows]


async def guards_blocking(conn: Connection) -> list[tuple[str, int]]:
    """Return each guard that blocks a rule, and in how many open cases it does."""
    rows = await conn.fetch(
        """
        SELECT guard, count(*) FROM case_figure, unnest(guards) AS guard
        WHERE ended_at IS NULL GROUP BY 1 ORDER BY 1
        """
    )
    return [tuple(row) for row in rows]


class Entered(NamedTuple):
    """Number of ledger entries of one office, track, level and rule. ``open`` means standing."""

    office_id: str
    track: str
    level: int
    rule_id: str
    open: bool
    escalations: int


async def escalations(conn: Connection) -> list[Entered]:
    """Return the number of ledger entries by office, track, level, rule and whether they stand."""
    rows = await conn.fetch(
        """
        SELECT office_id, track, level, rule_id, withdrawn_at IS NULL, count(*)
        FROM escalation_figure GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
        """
    )
    return [Entered(*row) for row in rows]


async def escalations_by_rule(conn: Connection) -> list[tuple[int, str, int, int]]:
    """Return level, rule, number standing and number withdrawn."""
    rows = await conn.fetch(
        """
        SELECT level, rule_id, count(*) FILTER (WHERE withdrawn_at IS NULL), count(withdrawn_at)
        FROM escalation_figure GROUP BY 1, 2 ORDER BY 1, 2
        """
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
