"""Composition root of the exporter: opens the pool, takes the readings, serves the port."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial

from schemas.checkpoints import PublicKey
from streams import reference
from streams.casework.in_force import in_force_source
from streams.domain.staffing import Staffing
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
        KeyUnreadable: the file of public keys holds none.
        OSError: the port is in use.
    """
    return service.run(_export(settings), settings.log_level)


async def _export(settings: Settings) -> None:
    metrics, config = ExporterMetrics(), settings.exporter
    staff = staffing.load(settings.staffing_file)
    today = reference.belgian_calendar().local_date(datetime.now(UTC))
    readings.show_capacities(staff, today, metrics)
    pool_of = LatePool(settings.database, "icam-exporter")
    loops = ReadingLoops(_readings(settings, pool_of, metrics, staff), metrics)
    app = application(
        lambda: Verdict(True, {}), partial(_ready, loops), metrics.registry, settings.host_names
    )
    try:
        await service.run_with_http(loops.run(), app, config.host, config.port)
    finally:
        pool_of.terminate()


def _readings(
    settings: Settings, pool_of: LatePool, metrics: ExporterMetrics, staff: Staffing
) -> list[ReadingState]:
    config = settings.exporter
    ref = reference.load(*settings.reference_files)
    calendar, source = ref.calendar, in_force_source(ref, settings)
    audits = AuditReadings(settings, ref.producers, metrics, lambda: datetime.now(UTC))

    async def backlog() -> None:
        await readings.backlog(await pool_of(), clock.now, calendar, metrics)

    async def cases() -> None:
        await readings.book(await pool_of(), clock.now, source, metrics)
        await readings.office_loads(await pool_of(), clock.now, calendar, staff, metrics)

    async def producers() -> None:
        await readings.read_producers(await pool_of(), clock.now, calendar, metrics)

    async def group() -> None:
        await asyncio.to_thread(audits.behind)

    async def offsets() -> None:
        await asyncio.to_thread(audits.offsets)

    async def audit() -> None:
        await asyncio.to_thread(audits.audit)

    found = [
        ReadingState("backlog", config.backlog_seconds, backlog, metrics.database_away),
        ReadingState("group", config.backlog_seconds, group, metrics.brokers_away),
        ReadingState("cases", config.cases_seconds, cases),
        ReadingState("producers", config.cases_seconds, producers),
        ReadingState("offsets", config.offsets_seconds, offsets, long=True),
        ReadingState("audit", config.audit_seconds, audit, long=True),
    ]
    public = settings.checkpoint.public_key_file
    if public is not None:
        keys = PublicKey.read_all(public.read_bytes())

        async def checkpoints() -> None:
            await asyncio.to_thread(audits.checkpoints, keys)

        found.append(ReadingState("checkpoints", config.audit_seconds, checkpoints, long=True))
    return found


def _ready(loops: ReadingLoops) -> Verdict:
    return Verdict(loops.ready, {"never_read": sorted(loops.missing)})
