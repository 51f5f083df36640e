"""Composition root of the board: opens the pool, reads for all who watch, serves the page."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from datetime import UTC, datetime
from logging.config import dictConfig
from typing import Final

import structlog

from streams import logs, reference
from streams.board.book import Teller
from streams.board.feed import Feed
from streams.board.pages import Facts
from streams.board.reading import Reader
from streams.board.serving import add_page
from streams.board.signals import SLOT_SECONDS, SLOTS, Past
from streams.board.state import State
from streams.internal_port import Verdict, application, serve
from streams.metrics import BoardMetrics
from streams.reference import staffing
from streams.settings import Settings
from streams.store import clock
from streams.store.pool import Pool, open_pool

log = structlog.get_logger(__name__)

_STALE_SECONDS: Final = 30.0


def run(settings: Settings) -> int:
    """Serve until told to stop (SIGTERM, SIGINT); return the exit code. Blocks.

    Raises:
        PolicyError, DirectoryError, StaffingError: the reference data can't be used.
        OSError: the port is taken.
    """
    dictConfig(logs.configure(settings.log_level))
    with suppress(asyncio.CancelledError):
        asyncio.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        if task is not None:
            loop.add_signal_handler(number, task.cancel)
    every = settings.board.every_seconds
    facts = Facts.load(settings, datetime.now(UTC))
    state = State(
        Teller(
            facts.offices, facts.levels, staffing.load(settings.staffing_file), settings.board.ops
        ),
        Past(round(SLOTS * SLOT_SECONDS / every)),
    )
    feed, metrics, pool_of = Feed(), BoardMetrics(), _Pool(settings)
    reader = Reader(pool_of, clock.now, reference.belgian_calendar(), state, feed, every)

    def live() -> Verdict:
        metrics.reading_age.set(-1 if state.age is None else state.age)
        return Verdict(True, {})

    def ready() -> Verdict:
        fresh = state.age is not None and state.age < _STALE_SECONDS
        return Verdict(fresh and not state.away, {"database_away": state.away, "fresh": fresh})

    made = application(live, ready, metrics.registry)
    add_page(made, facts, state, feed, metrics)
    runner, port = await serve(made, settings.board.host, settings.board.port)
    log.info("internal_port", port=port)
    try:
        await reader.run()
    finally:
        await runner.cleanup()
        await pool_of.close()


class _Pool:
    """A pool that is opened when it is first needed: the database may be away at the start."""

    def __init__(self, settings: Settings) -> None:
        self._database = settings.database.model_copy(update={"pool_size": 3})
        self._opened: Pool | None = None
        self._opening = asyncio.Lock()

    async def __call__(self) -> Pool:
        async with self._opening:
            if self._opened is None:
                self._opened = await open_pool(self._database, "icam-board")
            return self._opened

    async def close(self) -> None:
        if self._opened is not None:
            self._opened.terminate()
