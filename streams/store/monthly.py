"""Exact counts by month for statistics. Canary cases are excluded.

The counts name no case, but small ones may identify a person: show none of them before
``streams/services/statistics/cells.py`` has suppressed it.

A month is one of the calendar of a time zone. Each function reads whole tables, in the order of
minutes for a million events, and sorts and groups on the server, which spills to disk beyond its
``work_mem``. Call them in ``board.snapshot``, so that all count at one instant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from schemas.outcomes import CASE_ROUTED_TOPIC
from streams.store.pool import Connection
from streams.store.statistics import CANARY_PATTERN

_MINUTES: Final = 30
"""Longest time that one of these queries may take."""


class Count(NamedTuple):
    """Number of things of one kind, of one month and one row of one table."""

    month: str
    """As ``2026-03``."""
    by: str
    """The table: ``language``, ``channel``, ``track``, ``office`` or ``delivery``."""
    row: str
    """The value, such as ``nl``; ``unknown`` if the events do not say it."""
    cell: str
    """The kind."""
    number: int


@dataclass(frozen=True, slots=True)
class Window:
    """The instants to count: from ``first`` up to, not including, ``end``, none after ``now``."""

    first: datetime
    end: datetime
    now: datetime
    zone: str
    """IANA name of the time zone of the months."""


class Ranks(NamedTuple):
    """Sources of events with their ranks: of a fact the version of the highest rank holds."""

    sources: Sequence[str]
    ranks: Sequence[int]


async def ranks(conn: Connection, rank: Callable[[str], int]) -> Ranks:
    """Return the sources of the log with their ranks."""
    rows = await conn.fetch("SELECT DISTINCT source FROM case_event ORDER BY 1")
    sources = [row[0] for row in rows]
    return Ranks(sources, [rank(source) for source in sources])


async def prepare(conn: Connection) -> None:
    """Let the queries of this transaction take half an hour each, and join by hash or merge.

    The planner knows nothing about the number of rows of a subquery that parses JSON. It takes them
    for few and would compare each row of one with each of the other.
    """
    await conn.execute(f"SET LOCAL statement_timeout = '{_MINUTES}min'")
    await conn.execute("SET LOCAL enable_nestloop = off")


_CASES: Final = f"""
    source_rank AS (SELECT * FROM unnest($1::text[], $2::integer[]) AS known (source, rank)),
    ordered AS (
        SELECT DISTINCT ON (case_id, payload->>'order_id') case_id, event_id,
            (payload->>'notified_at')::timestamptz AS notified_at, payload->>'language' AS language,
            payload->'notification'->>'channel' AS channel
        FROM case_event JOIN source_rank USING (source)
        WHERE type = 'icam.oqt-issued.v1' AND case_id NOT LIKE '{CANARY_PATTERN}'
        ORDER BY case_id, payload->>'order_id', rank DESC, occurred_at DESC, event_id DESC
    ),
    first_order AS MATERIALIZED (
        SELECT DISTINCT ON (case_id) case_id, notified_at, language, channel FROM ordered
        ORDER BY case_id, notified_at, event_id
    ),
    first_route AS MATERIALIZED (
        SELECT DISTINCT ON (key) key AS case_id, body->>'office_id' AS office_id,
            body->>'track' AS track
        FROM outbox WHERE topic = '{CASE_ROUTED_TOPIC}' AND key NOT LIKE '{CANARY_PATTERN}'
        ORDER BY key, position
    )"""  # noqa: S608 - constants of ours
"""Each case by its first order and its first route, which nothing that happens later changes."""


async def appointments(conn: Connection, ranks: Ranks, window: Window) -> list[Count]:
    """Count the appointments that were held or missed, and the interviews without an appointment.

    Cells: ``first_held`` and ``first_missed`` for the first appointment of a case, ``later_held``
    and ``later_missed`` for its others, ``walk_ins``. A miss counts as reported, even if no rule
    counts it, unless an interview of the same appointment was held. The office is the one where the
    person was expected. The table ``delivery`` shows the delivery that was reported with the plan
    of the appointment.
    """
    rows = await conn.fetch(
        f"""
        WITH {_CASES}, interview AS (
            SELECT DISTINCT ON (case_id, payload->>'interview_id') case_id, event_id,
                payload->>'appointment_id' AS appointment_id, payload->>'office_id' AS office_id,
                (payload->>'held_at')::timestamptz AS at
            FROM case_event JOIN source_rank USING (source)
            WHERE type = 'icam.interview-completed.v1' AND case_id NOT LIKE '{CANARY_PATTERN}'
            ORDER BY case_id, payload->>'interview_id', rank DESC, occurred_at DESC, event_id DESC
        ), held AS (
            SELECT DISTINCT ON (case_id, appointment_id) case_id, appointment_id, office_id, at
            FROM interview WHERE appointment_id IS NOT NULL
            ORDER BY case_id, appointment_id, at, event_id
        ), missed AS (
            SELECT DISTINCT ON (case_id, payload->>'appointment_id') case_id,
                payload->>'appointment_id' AS appointment_id, payload->>'office_id' AS office_id,
                (payload->>'scheduled_at')::timestamptz AS at
            FROM case_event JOIN source_rank USING (source)
            WHERE type = 'icam.appointment-missed.v1' AND case_id NOT LIKE '{CANARY_PATTERN}'
            ORDER BY case_id, payload->>'appointment_id', rank DESC, occurred_at DESC, event_id DESC
        ), invited AS (
            SELECT DISTINCT ON (case_id, payload->>'appointment_id') case_id,
                payload->>'appointment_id' AS appointment_id,
                payload->'invitation'->>'delivery' AS delivery
            FROM case_event JOIN source_rank USING (source)
            WHERE type = 'icam.appointment-planned.v1' AND case_id NOT LIKE '{CANARY_PATTERN}'
                AND payload->'invitation'->>'delivery' IS NOT NULL
            ORDER BY case_id, payload->>'appointment_id', rank DESC, occurred_at DESC, event_id DESC
        ), expected AS (
            SELECT case_id, appointment_id, office_id, at, 'held' AS outcome FROM held
            UNION ALL
            SELECT case_id, appointment_id, office_id, at, 'missed' FROM missed
            WHERE NOT EXISTS (
                SELECT FROM held WHERE held.case_id = missed.case_id
                    AND held.appointment_id = missed.appointment_id
            )
        ), counted AS (
            SELECT case_id, appointment_id, office_id, at,
                CASE WHEN row_number() OVER (PARTITION BY case_id ORDER BY at, appointment_id) = 1
                    THEN 'first_' ELSE 'later_' END || outcome AS cell
            FROM expected WHERE at <= $5
            UNION ALL
            SELECT case_id, NULL, office_id, at, 'walk_ins' FROM interview
            WHERE appointment_id IS NULL AND at <= $5
        )
        SELECT to_char(at AT TIME ZONE $6, 'YYYY-MM'), by, coalesce(name, 'unknown'), cell, count(*)
        FROM counted LEFT JOIN first_order USING (case_id) LEFT JOIN first_route USING (case_id)
            LEFT JOIN invited USING (case_id, appointment_id),
            LATERAL (VALUES
                ('language', language), ('channel', channel), ('track', track),
                ('office', counted.office_id), ('delivery', delivery)
            ) AS tables (by, name)
        WHERE at >= $3 AND at < $4
        GROUP BY 1, 2, 3, 4
        """,  # noqa: S608 - constants of ours
        *_arguments(ranks, window),
        timeout=_MINUTES * 60,
    )
    return [Count(*row) for row in rows]


async def proposals(
    conn: Connection, ranks: Ranks, window: Window, day_limits: Sequence[int]
) -> list[Count]:
    """Count the proposals first raised in each month, by their outcome up to now.

    Cells, after ``first_`` for the first proposal of a case and ``later_`` for its others:
    ``answered`` if somebody answered it; else ``open`` if it stands, ``replaced`` if the system
    itself raised another one in its place, ``withdrawn`` if the facts ended it. An answered first
    proposal is counted by its time to the first answer: ``first_answered_2d`` took two times 24
    hours or more, but less than the next of ``day_limits``. An answer that is older than its
    proposal took no time. Office and track are those that the proposal first went to.
    """
    rows = await conn.fetch(
        f"""
        WITH {_CASES}, first_round AS (
            SELECT DISTINCT ON (escalation_id) escalation_id, case_id, office_id, track, raised_at
            FROM escalation WHERE case_id NOT LIKE '{CANARY_PATTERN}' AND raised_at <= $5
            ORDER BY escalation_id, round
        ), last_round AS (
            SELECT DISTINCT ON (escalation_id) escalation_id,
                CASE WHEN withdrawn_at IS NULL THEN 'open'
                    WHEN withdrawal->>'reason' IN
                        ('superseded', 'rerouted', 'policy_changed', 'reminded') THEN 'replaced'
                    ELSE 'withdrawn' END AS outcome
            FROM escalation WHERE case_id NOT LIKE '{CANARY_PATTERN}'
            ORDER BY escalation_id, round DESC
        ), answer AS (
            SELECT case_id, (payload->>'escalation_id')::uuid AS escalation_id,
                min((payload->>'answered_at')::timestamptz) AS answered_at
            FROM case_event
            WHERE type = 'icam.proposal-answered.v1' AND case_id NOT LIKE '{CANARY_PATTERN}'
                AND (payload->>'answered_at')::timestamptz <= $5
            GROUP BY 1, 2
        ), numbered AS (
            SELECT case_id, office_id, track, raised_at, answered_at,
                CASE WHEN answered_at IS NULL THEN outcome ELSE 'answered' END AS outcome,
                row_number() OVER (PARTITION BY case_id ORDER BY raised_at, escalation_id) = 1
                    AS is_first
            FROM first_round JOIN last_round USING (escalation_id)
                LEFT JOIN answer USING (case_id, escalation_id)
        ), counted AS (
            SELECT case_id, office_id, track, raised_at, CASE
                WHEN NOT is_first THEN 'later_' || outcome
                WHEN outcome <> 'answered' THEN 'first_' || outcome
                ELSE 'first_answered_' || ($7::integer[])[greatest(1, width_bucket(
                    extract(epoch FROM answered_at - raised_at) / 86400, $7::integer[]::numeric[]
                ))] || 'd' END AS cell
            FROM numbered
        )
        SELECT to_char(raised_at AT TIME ZONE $6, 'YYYY-MM'), by, coalesce(name, 'unknown'), cell,
            count(*)
        FROM counted LEFT JOIN first_order USING (case_id),
            LATERAL (VALUES
                ('language', language), ('channel', channel), ('track', counted.track),
                ('office', counted.office_id)
            ) AS tables (by, name)
        WHERE raised_at >= $3 AND raised_at < $4
        GROUP BY 1, 2, 3, 4
        """,  # noqa: S608 - constants of ours
        *_arguments(ranks, window),
        day_limits,
        timeout=_MINUTES * 60,
    )
    return [Count(*row) for row in rows]


async def orders(
    conn: Connection, ranks: Ranks, window: Window, level: int, days: int
) -> list[Count]:
    """Count the cases whose first order was notified in each month.

    Cells: ``orders_escalated`` if a proposal of at least this level fell due within so many times
    24 hours of the notification, else ``orders_not_escalated``; ``orders_recent`` while these have
    not passed. Office and track are those of the first route.
    """
    rows = await conn.fetch(
        f"""
        WITH {_CASES}, escalated AS (
            SELECT DISTINCT case_id FROM first_order JOIN escalation USING (case_id)
            WHERE level >= $7 AND raised_at <= $5 AND due_at >= notified_at
                AND due_at < notified_at + $8::integer * interval '24 hours'
        )
        SELECT to_char(notified_at AT TIME ZONE $6, 'YYYY-MM'), by, coalesce(name, 'unknown'),
            CASE WHEN notified_at + $8::integer * interval '24 hours' > $5 THEN 'orders_recent'
                WHEN escalated.case_id IS NOT NULL THEN 'orders_escalated'
                ELSE 'orders_not_escalated' END,
            count(*)
        FROM first_order LEFT JOIN first_route USING (case_id) LEFT JOIN escalated USING (case_id),
            LATERAL (VALUES
                ('language', language), ('channel', channel), ('track', track),
                ('office', office_id)
            ) AS tables (by, name)
        WHERE notified_at >= $3 AND notified_at < $4 AND notified_at <= $5
        GROUP BY 1, 2, 3, 4
        """,  # noqa: S608 - constants of ours
        *_arguments(ranks, window),
        level,
        days,
        timeout=_MINUTES * 60,
    )
    return [Count(*row) for row in rows]


def _arguments(ranks: Ranks, window: Window) -> tuple[object, ...]:
    return (*ranks, window.first, window.end, window.now, window.zone)
