"""The standing proposals of an office by due date, and how many are due, by office.

An unanswered proposal is announced again at dated intervals. It stays due on the first of these
dates. Canary cases are excluded.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from streams.store.pool import Connection
from streams.store.statistics import CANARY_PATTERN


class Task(NamedTuple):
    """One standing proposal. A proposal of an earlier version has no dates and no addressee."""

    case_id: str
    escalation_id: str
    round: int
    rule_id: str
    level: int
    action: str
    office_id: str
    track: str
    addressed_to: str | None
    raised_at: datetime
    due: datetime | None
    """When the first answer was expected."""
    answer_by: datetime | None
    """When it is announced again, unless it is answered before."""
    reminders: int


async def tasks(conn: Connection, office_id: str, track: str | None, limit: int) -> list[Task]:
    """Return at most ``limit`` standing proposals of an office or team, by due date."""
    rows = await conn.fetch(
        """
        SELECT * FROM (
            SELECT case_id, escalation_id::text, round, rule_id, level, action, office_id, track,
                   addressed_to, raised_at, coalesce((
                       SELECT first.answer_by FROM escalation AS first
                       WHERE first.escalation_id = held.escalation_id
                         AND first.round <= held.round AND first.reminder = 0
                       ORDER BY first.round DESC LIMIT 1), answer_by) AS due,
                   answer_by, reminder
            FROM escalation AS held
            WHERE withdrawn_at IS NULL AND office_id = $1 AND ($2::text IS NULL OR track = $2)
              AND case_id NOT LIKE $3) AS standing
        ORDER BY coalesce(due, raised_at), level DESC, case_id, escalation_id LIMIT $4
        """,
        office_id,
        track,
        CANARY_PATTERN,
        limit,
    )
    return [Task(*row) for row in rows]


class Due(NamedTuple):
    """Number of standing proposals of one office, by when they are due."""

    office_id: str
    late: int
    today: int
    week: int
    """Later this week, without today."""
    later: int


async def due_by_office(
    conn: Connection, now: datetime, end_of_day: datetime, end_of_week: datetime
) -> list[Due]:
    """Return how many standing proposals of each office are late or fall due; none without any."""
    rows = await conn.fetch(
        """
        SELECT office_id, count(*) FILTER (WHERE due <= $1)::integer,
               count(*) FILTER (WHERE due > $1 AND due <= $2)::integer,
               count(*) FILTER (WHERE due > $2 AND due <= $3)::integer,
               count(*) FILTER (WHERE due > greatest($2, $3) OR due IS NULL)::integer
        FROM (
            SELECT office_id, coalesce((
                SELECT first.answer_by FROM escalation AS first
                WHERE first.escalation_id = held.escalation_id AND first.round <= held.round
                  AND first.reminder = 0
                ORDER BY first.round DESC LIMIT 1), answer_by) AS due
            FROM escalation AS held WHERE withdrawn_at IS NULL AND case_id NOT LIKE $4) AS standing
        GROUP BY 1 ORDER BY 1
        """,
        now,
        end_of_day,
        end_of_week,
        CANARY_PATTERN,
    )
    return [Due(*row) for row in rows]
