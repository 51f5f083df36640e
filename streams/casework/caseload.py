"""The caseload of all teams, by which a process routes new cases between equally proper offices.

Read from the database every minute, so that no event pays for it. In between, the process adds what
it routes itself; what other processes route shows at the next reading.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import NoReturn

from schemas.outcomes import Outcome
from streams.domain.clocks import Calendar
from streams.domain.loads import Loads
from streams.domain.staffing import Staffing
from streams.runtime.loop import periodic
from streams.store import office_loads
from streams.store.clock import Clock
from streams.store.errors import is_transient
from streams.store.pool import Connection, Pool


class Caseload:
    """The newest reading, shared by everything in a process that decides cases."""

    def __init__(self, staffing: Staffing, calendar: Calendar, clock: Clock) -> None:
        self._staffing = staffing
        self._calendar = calendar
        self._clock = clock
        self.loads: Loads | None = None
        """None before the first reading."""

    async def read(self, conn: Connection) -> None:
        """Read the open cases of all teams."""
        day = self._calendar.local_date(await self._clock(conn))
        self.loads = Loads(await office_loads.read(conn), self._staffing, day)

    def count(self, outcomes: Iterable[Outcome]) -> None:
        """Count the cases that were routed; call it after the commit."""
        if self.loads is not None:
            self.loads = self.loads.after(outcomes)

    async def run(self, pool: Pool, seconds: float) -> NoReturn:
        """Read again at this interval until cancelled; keep the last reading during an outage."""

        async def read() -> None:
            async with pool.acquire() as conn:
                await self.read(conn)

        await periodic(
            read,
            pause=lambda *_: seconds * random.uniform(0.9, 1.1),  # noqa: S311 - jitter
            is_transient=is_transient,
        )
