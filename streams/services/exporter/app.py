"""Composition root of the exporter: opens the pool, takes the readings, serves the port."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial

from streams import reference
from streams.reference import staffing
from streams.runtime import service
from streams.runtime.http import Verdict, application
from streams.runtime.metrics import ExporterMetrics
from streams.runtime.settings import Settings
from streams.services.exporter import readings
from streams.services.exporter.audit_readings import AuditReadings
from streams.services.exporter.loops import ReadingLoops, ReadingState
from streams.store import clock
from streams.store.pool import LatePool


def run(settings: Settings) -> int:
    """Export until SIGTERM or SIGINT; return the exit code. Blocks.

    Raises:
        PolicyError, DirectoryError, StaffingError: the reference data is invalid.
        OSError: the port is in use.
    """
    return service.run(_export(settings), settings.log_level)


async def _export(settings: Settings) -> None:
    metrics, config = ExporterMetrics(), settings.exporter
    for team in staffing.load(settings.staffing_file).teams:
        metrics.capacity.labels(team.office_id, team.track).set(team.capacity)
    pool_of = LatePool(settings.database, "icam-exporter")
    loops = ReadingLoops(_readings(settings, pool_of, metrics), metrics)
    app = application(lambda: Verdict(True, {}), partial(_ready, loops), metrics.registry)
    try:
        await service.run_with_http(loops.run(), app, config.host, config.port)
    finally:
        pool_of.terminate()


def _readings(
    settings: Settings, pool_of: LatePool, metrics: ExporterMetrics
) -> list[ReadingState]:
    config = settings.exporter
    ref = reference.load(settings.policy_file, settings.directory_file)
    calendar = ref.calendar
    audits = AuditReadings(settings, metrics, lambda: datetime.now(UTC))

    async def backlog() -> None:
        await readings.backlog(await pool_of(), clock.now, calendar, metrics)

    async def cases() -> None:
        await readings.book(await pool_of(), clock.now, ref, metrics)

    async def producers() -> None:
        await readings.read_producers(await pool_of(), clock.now, calendar, metrics)

    async def group() -> None:
        await asyncio.to_thread(audits.behind)

    async def offsets() -> None:
        await asyncio.to_thread(audits.offsets)

    async def audit() -> None:
        await asyncio.to_thread(audits.audit)

    return [
        ReadingState("backlog", config.backlog_seconds, backlog, metrics.database_away),
        ReadingState("group", config.backlog_seconds, group, metrics.brokers_away),
        ReadingState("cases", config.cases_seconds, cases),
        ReadingState("producers", config.cases_seconds, producers),
        ReadingState("offsets", config.offsets_seconds, offsets),
        ReadingState("audit", config.audit_seconds, audit),
    ]


def _ready(loops: ReadingLoops) -> Verdict:
    missing = sorted(loops.missing)
    return Verdict(not missing, {"never_read": missing})
