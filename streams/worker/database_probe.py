"""Probe the database periodically, so that an idle worker also notices when it is away."""

from __future__ import annotations

from typing import Final, NoReturn

import structlog

from streams.casework.in_force import ReferenceSource
from streams.runtime.loop import periodic
from streams.runtime.state import WorkerState
from streams.store import clock
from streams.store.errors import advice, is_transient, log_fields
from streams.store.pool import Pool

log = structlog.get_logger(__name__)

_SECONDS: Final = 2.0


async def probe_database(pool: Pool, state: WorkerState, source: ReferenceSource) -> NoReturn:
    """Keep ``state.database_away`` up to date until cancelled: whether it can't be worked with.

    That is so if it can't be written to, or if what was published in it can't be read.

    Raises:
        Exception: an error of the database that is our bug.
    """

    async def probe() -> None:
        async with pool.acquire() as conn:
            await clock.expect_writable(conn)
            await source.current(conn)
        state.database_is_back()

    def away(error: Exception) -> None:
        state.database_is_away(advice(error))
        log.warning("database_away", **log_fields(error))

    await periodic(probe, pause=lambda *_: _SECONDS, is_transient=is_transient, on_away=away)
