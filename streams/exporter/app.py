"""Composition root of the exporter: opens the pool, takes the readings, serves the port."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from logging.config import dictConfig

import structlog

from streams import logs, reference
from streams.exporter import readings
from streams.exporter.judges import Judges
from streams.exporter.loops import Loops, Reading
from streams.internal_port import Verdict, application, serve
from streams.metrics import ExporterMetrics
from streams.reference import staffing
from streams.settings import Settings
from streams.store import clock
from streams.store.pool import Pool, open_pool

log = structlog.get_logger(__name__)


def run(settings: Settings) -> int:
    """Export until told to stop (SIGTERM, SIGINT); return the exit code. Blocks.

    Raises:
        StaffingError: the staffing table can't be used.
        OSError: the port is taken.
    """
    dictConfig(logs.configure(settings.log_level))
    with suppress(asyncio.CancelledError):
        asyncio.run(_export(settings))
    return 0


async def _export(settings: Settings) -> None:
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _cancel(task))
    metrics = ExporterMetrics()
    for team in staffing.load(settings.staffing_file).teams:
        metrics.capacity.labels(team.office_id, team.track).set(team.capacity)
    pool_of = _Pool(settings)
    loops = Loops(_readings(settings, pool_of, metrics), metrics)
    made = application(lambda: Verdict(True, {}), partial(_ready, loops), metrics.registry)
    runner, port = await serve(made, settings.exporter.host, settings.exporter.port)
    log.info("internal_port", port=port)
    try:
        await loops.run()
    finally:
        await runner.cleanup()
        await pool_of.close()


def _cancel(task: asyncio.Task[None] | None) -> Callable[[], None]:
    return lambda: None if task is None else (task.cancel(), None)[1]


class _Pool:
    """A pool that is opened when it is first needed: the database may be away at the start."""

    def __init__(self, settings: Settings) -> None:
        self._database = settings.database
        self._opened: Pool | None = None
        self._opening = asyncio.Lock()

    async def __call__(self) -> Pool:
        async with self._opening:
            if self._opened is None:
                self._opened = await open_pool(self._database, "icam-exporter")
            return self._opened

    async def close(self) -> None:
        if self._opened is not None:
            self._opened.terminate()


def _readings(settings: Settings, pool_of: _Pool, metrics: ExporterMetrics) -> list[Reading]:
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
