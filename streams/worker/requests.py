"""Do what people ask for: replay or discard dead letters, one request at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

import structlog

from streams.casework.caseload import Caseload
from streams.casework.in_force import ReferenceSource
from streams.intake import repair
from streams.runtime.loop import periodic
from streams.runtime.metrics import Metrics
from streams.runtime.settings import LoopSettings
from streams.store.clock import Clock
from streams.store.errors import is_transient, log_fields
from streams.store.pool import Pool

log = structlog.get_logger(__name__)


class Requests:
    """Works requests until cancelled."""

    def __init__(
        self,
        pool: Pool,
        source: ReferenceSource,
        clock: Clock,
        metrics: Metrics,
        settings: LoopSettings,
        max_ahead: timedelta,
        on_commit: Callable[[], None] = lambda: None,
        caseload: Caseload | None = None,
    ) -> None:
        """``on_commit`` is called after every request that was worked."""
        self._pool = pool
        self._source = source
        self._clock = clock
        self._metrics = metrics
        self._seconds = settings.requests_seconds
        self._max_ahead = max_ahead
        self._on_commit = on_commit
        self._caseload = caseload
        self._away = False

    async def run(self) -> NoReturn:
        """Work requests until cancelled; after one the next is looked for at once.

        Raises:
            Exception: never while the database is away, nor for a request on which our code fails.
        """
        await periodic(
            self._work_next,
            pause=lambda worked, _: 0.0 if worked else self._seconds,
            is_transient=is_transient,
            on_away=self._note,
        )

    def _note(self, error: Exception) -> None:
        """Log the first of several errors: a privilege may be missing only for requests."""
        if not self._away:
            log.warning("requests_not_read", **log_fields(error))
        self._away = True

    async def _work_next(self) -> bool:
        loads = self._caseload.loads if self._caseload is not None else None
        outcomes = await repair.work_next(
            self._pool, self._source, self._clock, self._max_ahead, loads
        )
        self._away = False
        if outcomes is None:
            return False
        self._metrics.count_announced(outcomes)
        if self._caseload is not None:
            self._caseload.count(outcomes)
        self._on_commit()
        return True
