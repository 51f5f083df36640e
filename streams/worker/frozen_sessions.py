"""End the sessions of frozen workers and commands, so that nobody waits long for their locks."""

from __future__ import annotations

from typing import Final, NoReturn

import structlog

from streams.runtime.loop import periodic
from streams.store.errors import is_transient
from streams.store.frozen_sessions import end_frozen
from streams.store.pool import Pool

log = structlog.get_logger(__name__)

_SECONDS: Final = 2.0


async def end_frozen_sessions(pool: Pool, after_seconds: float) -> NoReturn:
    """End sessions that have waited so long for a frozen client, until cancelled.

    Raises:
        Exception: an error of the database that is our bug.
    """

    async def end() -> None:
        async with pool.acquire() as conn:
            for one in await end_frozen(conn, after_seconds):
                log.warning(
                    "frozen_session_ended",
                    pid=one.pid,
                    application=one.application,
                    seconds=round(one.seconds, 1),
                    do="find out why this process stood still",
                )

    await periodic(end, pause=lambda *_: _SECONDS, is_transient=is_transient)
