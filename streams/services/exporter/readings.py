"""Read the database into gauges: backlog, cases, producers.

Each function reads first and then sets all gauges without an ``await``, so a scrape never sees a
gauge that is half set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from prometheus_client import Gauge

from streams.casework.in_force import ReferenceSource
from streams.domain.clocks import Calendar
from streams.domain.staffing import Staffing, TeamKey
from streams.reference import ZONE
from streams.runtime.metrics import MOST_PRODUCERS, ExporterMetrics
from streams.store import (
    attention,
    cases,
    dead_letters,
    gaps,
    outbox,
    producers,
    statistics,
    worklist,
)
from streams.store.clock import Clock
from streams.store.pool import Pool

OPENS: Final = 8
CLOSES: Final = 18
"""Office hours in which a silent producer is unusual, in Belgian local time. Inferred."""
_DAY: Final = timedelta(days=1)


async def backlog(pool: Pool, clock: Clock, calendar: Calendar, metrics: ExporterMetrics) -> None:
    """Read the backlog: deadlines, outbox, dead letters."""
    async with pool.acquire() as conn:
        now = await clock(conn)
        due, due_for = await cases.overdue(conn, now)
        soon = await cases.due_until(conn, now, now + _DAY)
        pending, pending_for = await outbox.backlog(conn)
        letters = await dead_letters.unresolved(conn, calendar.working_day_before(now))
        never_seen = await gaps.lost(conn)
    metrics.due_unfired.set(due)
    metrics.due_unfired_oldest.set(due_for)
    metrics.due_soon.set(soon)
    metrics.outbox_pending.set(pending)
    metrics.outbox_oldest.set(pending_for)
    _fill(metrics.dead_letters_open, (((n.topic, n.reason), n.letters) for n in letters))
    _fill(metrics.never_seen, (((topic,), count) for topic, count in never_seen))
    metrics.dead_letters_overdue.set(sum(n.overdue for n in letters))
    oldest = min((n.oldest_at for n in letters), default=now)
    metrics.dead_letters_oldest.set(max(0.0, (now - oldest).total_seconds()))


async def book(pool: Pool, clock: Clock, source: ReferenceSource, metrics: ExporterMetrics) -> None:
    """Read the counts over all cases, and the ledger of escalations."""
    async with pool.acquire() as conn:
        now, ref = await clock(conn), await source.current(conn)
        calendar = ref.calendar
        today = calendar.local_date(now)
        due = await worklist.due_by_office(
            conn, now, calendar.end_of(today), calendar.end_of_week(today)
        )
        breaches = await attention.breaches(conn, now, ref.longest_pause_days)
        ended = await statistics.ended_by_reason(conn)
        aged = await statistics.cases_by_age(conn, now)
        statuses = await statistics.cases_by_status(conn)
        unrouted = await statistics.unrouted(conn)
        guards = await statistics.guards_blocking(conn)
        ledger = await statistics.escalations(conn)
    _fill(metrics.cases, (((n.office_id, n.track, n.age), n.cases) for n in aged))
    _fill(metrics.cases_by_status, (((status,), count) for status, count in statuses))
    _fill(metrics.cases_ended, (((reason,), count) for reason, count in ended))
    _fill(metrics.forgotten, (((breach,), count) for breach, count in breaches.items()))
    _fill(
        metrics.proposals_due,
        (
            ((n.office_id, name), count)
            for n in due
            for name, count in zip(("late", "today", "week", "later"), n[1:], strict=True)
        ),
    )
    _fill(metrics.unrouted, (((reason,), count) for reason, count in unrouted))
    _fill(metrics.guards, (((guard,), count) for guard, count in guards))
    _fill(
        metrics.escalations,
        (
            (
                (n.office_id, n.track, str(n.level), n.rule_id, "open" if n.open else "withdrawn"),
                n.escalations,
            )
            for n in ledger
        ),
    )


async def office_loads(
    pool: Pool, clock: Clock, calendar: Calendar, staffing: Staffing, metrics: ExporterMetrics
) -> None:
    """Read how many open cases each team follows, compared with its capacity today."""
    async with pool.acquire() as conn:
        today = calendar.local_date(await clock(conn))
        followed = await statistics.cases_by_office(conn)
    cases_of = {(office_id, track): cases for office_id, track, cases in followed}
    capacities = show_capacities(staffing, today, metrics)
    _fill(
        metrics.load,
        ((team, cases_of.get(team, 0) / most) for team, most in capacities.items() if most),
    )


def show_capacities(
    staffing: Staffing, today: date, metrics: ExporterMetrics
) -> Mapping[TeamKey, int]:
    """Show and return the capacity of each team that is staffed today."""
    capacities = {
        line.team: staffing.capacity(*line.team, today) or 0 for line in staffing.on(today)
    }
    _fill(metrics.capacity, capacities.items())
    return capacities


async def read_producers(
    pool: Pool, clock: Clock, calendar: Calendar, metrics: ExporterMetrics
) -> None:
    """Read how many events each producer sends, and how long it has been silent."""
    async with pool.acquire() as conn:
        now = await clock(conn)
        found = await producers.producer_activity(conn, now, ZONE, OPENS, CLOSES, MOST_PRODUCERS)
    _fill(metrics.producer_last, (((n.producer,), n.last_at.timestamp()) for n in found))
    _fill(metrics.producer_events, (((n.producer,), n.events_last_day) for n in found))
    _fill(
        metrics.producer_silent,
        (((n.producer,), silent_seconds(calendar, n.last_at, now)) for n in found),
    )
    _fill(
        metrics.producer_usual_gap,
        (((n.producer,), n.usual_gap_seconds) for n in found if n.usual_gap_seconds is not None),
    )


def silent_seconds(calendar: Calendar, last_at: datetime, now: datetime) -> float:
    """Return the seconds without an event within today's office hours; 0 outside of them."""
    local = calendar.local(now)
    if not calendar.is_working(local.date()) or not OPENS <= local.hour < CLOSES:
        return 0.0
    opened = calendar.start_of(local.date()).replace(hour=OPENS)
    return max(0.0, (now - max(last_at, opened)).total_seconds())


def _fill(gauge: Gauge, values: Iterable[tuple[Sequence[str], float]]) -> None:
    """Set a gauge to these values by labels, and remove all other series."""
    found = list(values)
    gauge.clear()
    for labels, value in found:
        gauge.labels(*labels).set(value)
