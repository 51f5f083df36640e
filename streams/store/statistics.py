"""Counts over all cases, for summaries. Aggregates only."""

from __future__ import annotations

from streams.store.pool import Connection


async def cases_by_office(conn: Connection) -> list[tuple[str, str, int]]:
    """Return office, track and number of cases, for all that are routed."""
    rows = await conn.fetch(
        """
        SELECT office_id, track, count(*) FROM case_projection
        WHERE office_id IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
        """
    )
    return [tuple(row) for row in rows]


async def escalations_by_rule(conn: Connection) -> list[tuple[int, str, int, int]]:
    """Return level, rule, and how many stand and were withdrawn."""
    rows = await conn.fetch(
        """
        SELECT level, rule_id, count(*) FILTER (WHERE withdrawn_at IS NULL), count(withdrawn_at)
        FROM escalation GROUP BY 1, 2 ORDER BY 1, 2
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
