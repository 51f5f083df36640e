"""The standing proposals of an office by due date, its blocked cases, and how many are due.

An unanswered proposal is announced again at dated intervals. It stays due on the first of these
dates. Canary cases are excluded.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from streams.store.pool import Connection


class OfficeRefusedError(Exception):
    """The login may read the worklists of other offices only."""


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
    """Return at most ``limit`` standing proposals of an office or team, by due date.

    Raises:
        OfficeRefusedError: the login is of other offices only.
    """
    rows = await conn.fetch(
        """
        SELECT case_id, escalation_id::text, round, rule_id, level, action, office_id, track,
               addressed_to, raised_at, due, answer_by, reminder
        FROM worklist_proposal WHERE office_id = $1 AND ($2::text IS NULL OR track = $2)
        ORDER BY coalesce(due, raised_at), level DESC, case_id, escalation_id LIMIT $3
        """,
        office_id,
        track,
        limit,
    )
    if not rows and not await _may_read(conn, office_id):
        raise OfficeRefusedError(
            f"this login is not of office {office_id}: the owner of the tables adds it to "
            "office_member"
        )
    return [Task(*row) for row in rows]


async def _may_read(conn: Connection, office_id: str) -> bool:
    may: bool = await conn.fetchval(
        """
        SELECT has_table_privilege(session_user, 'escalation', 'SELECT')
            OR EXISTS (SELECT FROM my_office WHERE office_id = $1)
        """,
        office_id,
    )
    return may


class Blocked(NamedTuple):
    """A case about which nothing is proposed until a person has resolved its dead letters."""

    case_id: str
    office_id: str | None
    track: str | None
    since: datetime
    """When the oldest of them was recorded."""
    reasons: Sequence[str]


async def blocked(conn: Connection, office_id: str, track: str | None, limit: int) -> list[Blocked]:
    """Return at most ``limit`` cases of an office or team with open dead letters, oldest first."""
    rows = await conn.fetch(
        """
        SELECT case_id, office_id, track, since, reasons FROM worklist_blocked
        WHERE office_id = $1 AND ($2::text IS NULL OR track = $2)
        ORDER BY since, case_id LIMIT $3
        """,
        office_id,
        track,
        limit,
    )
    return [Blocked(*row) for row in rows]


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
        FROM escalation_figure WHERE withdrawn_at IS NULL GROUP BY 1 ORDER BY 1
        """,
        now,
        end_of_day,
        end_of_week,
    )
    return [Due(*row) for row in rows]
