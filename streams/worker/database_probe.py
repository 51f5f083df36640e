"""Probe the database periodically, so that an idle worker also notices when it is away."""

from __future__ import annotations

from typing import Final, NoReturn

from streams.runtime.loop import periodic
from streams.runtime.state import WorkerState
from streams.store import clock
from streams.store.errors import is_transient
from streams.store.pool import Pool

_SECONDS: Final = 2.0


async def probe_database(pool: Pool, state: WorkerState) -> NoReturn:
    """Keep ``state.database_away`` up to date until cancelled.

    Raises:
        Exception: an error of the database that is not transient.
    """

    async def probe() -> None:
        async with pool.acquire() as conn:
            await clock.now(conn)
        state.database_away = False

    def away(_: Exception) -> None:
        state.database_away = True

    await periodic(probe, pause=lambda *_: _SECONDS, is_transient=is_transient, on_away=away)
