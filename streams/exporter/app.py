"""Composition root of the exporter: opens the pool, takes the readings, serves the port."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial

from streams import reference, role
from streams.exporter import readings
from streams.exporter.judges import Judges
from streams.exporter.loops import Loops, Reading
from streams.internal_port import Verdict, application
from streams.metrics import ExporterMetrics
from streams.reference import staffing
from streams.settings import Settings
from streams.store import clock
from streams.store.pool import LatePool


def run(settings: Settings) -> int:
    """Export until told to stop (SIGTERM, SIGINT); return the exit code. Blocks.

    Raises:
        StaffingError: the staffing table can't be used.
        OSError: the port is taken.
    """
    return role.run(_export(settings), settings.log_level)


async def _export(settings: Settings) -> None:
    metrics, mine = ExporterMetrics(), settings.exporter
    for team in staffing.load(settings.staffing_file).teams:
        metrics.capacity.labels(team.office_id, team.track).set(team.capacity)
    pool_of = LatePool(settings.database, "icam-exporter")
    loops = Loops(_readings(settings, pool_of, metrics), metrics)
    made = application(lambda: Verdict(True, {}), partial(_ready, loops), metrics.registry)
    try:
        await role.beside(loops.run(), made, mine.host, mine.port)
    finally:
        pool_of.terminate()


def _readings(settings: Settings, pool_of: LatePool, metrics: ExporterMetrics) -> list[Reading]:
    every, calendar = settings.exporter, reference.belgian_calendar()
    judges = Judges(settings, metrics, lambda: datetime.now(UTC))

    async def backlog() -> None:
        await readings.backlog(await pool_of(), clock.now, calendar, metrics)

    async def cases() -> None:
        await readings.book(await pool_of(), clock.now, metrics)

    async def producers() -> None:
        await readings.heard(await pool_of(), clock.now, calendar, metrics)

    async def group() -> None:
        await asyncio.to_thread(judges.behind)

    async def offsets() -> None:
        await asyncio.to_thread(judges.offsets)

    async def audit() -> None:
        await asyncio.to_thread(judges.audit)

    return [
        Reading("backlog", every.backlog_seconds, backlog, metrics.database_away),
        Reading("group", every.backlog_seconds, group, metrics.brokers_away),
        Reading("cases", every.cases_seconds, cases),
        Reading("producers", every.cases_seconds, producers),
        Reading("offsets", every.offsets_seconds, offsets),
        Reading("audit", every.audit_seconds, audit),
    ]


def _ready(loops: Loops) -> Verdict:
    missing = sorted(loops.missing)
    return Verdict(not missing, {"never_read": missing})
