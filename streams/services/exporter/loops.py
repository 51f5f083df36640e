"""Take readings periodically, each at its own interval, and export the age of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, NoReturn

import structlog
from prometheus_client import Gauge

from streams.audit import AuditError
from streams.runtime.loop import periodic
from streams.runtime.metrics import ExporterMetrics
from streams.store.errors import is_refused, is_transient, log_fields

log = structlog.get_logger(__name__)

_RETRY_SECONDS: Final = 5.0
"""Longest pause after a failed reading: an audit is hourly, and is wanted soon after the start."""


@dataclass(frozen=True, slots=True)
class ReadingState:
    """One periodic reading; ``take`` reads and sets the gauges."""

    name: str
    every_seconds: float
    take: Callable[[], Awaitable[None]]
    away: Gauge | None = None
    """1 while the reading fails; only where a server that is away is the one possible cause."""
    long: bool = False
    """Whether its first one reads the whole history: nothing waits for it, and its age shows."""


class ReadingLoops:
    """Takes readings until cancelled. A reading that fails is taken again, and its age shows."""

    def __init__(self, readings: list[ReadingState], metrics: ExporterMetrics) -> None:
        self._metrics = metrics
        self._readings = readings
        started = time.monotonic()
        self._taken = {reading.name: started for reading in readings}
        self._missing = {reading.name for reading in readings}
        self._long = {reading.name for reading in readings if reading.long}
        for name in self._taken:
            metrics.reading_age.labels(name).set_function(partial(self.age, name))

    def age(self, name: str) -> float:
        """Return the seconds since a reading last succeeded, or since the start."""
        return time.monotonic() - self._taken[name]

    @property
    def missing(self) -> set[str]:
        """Return the readings that never succeeded."""
        return set(self._missing)

    @property
    def ready(self) -> bool:
        """Return whether every reading but the long ones has succeeded once."""
        return self._missing <= self._long

    async def run(self) -> None:
        """Take every reading until cancelled; one that blocks delays no other.

        Raises:
            ExceptionGroup: a reading failed in our own code, or the database refused our role at
                its first reading, which is a mistake in the configuration.
        """
        async with asyncio.TaskGroup() as group:
            for reading in self._readings:
                group.create_task(self._repeat(reading), name=reading.name)

    async def _repeat(self, reading: ReadingState) -> NoReturn:
        def away(error: Exception) -> None:
            if reading.away is not None:
                reading.away.set(1)
            log.warning("not_read", reading=reading.name, **log_fields(error))

        def passes(error: Exception) -> bool:
            if isinstance(error, AuditError):
                return True
            is_first = reading.name in self._missing
            return is_transient(error) and not (is_first and is_refused(error))

        def pause(done: bool | None, took: float) -> float:
            every = reading.every_seconds if done else min(reading.every_seconds, _RETRY_SECONDS)
            return max(0.0, every - took)

        await periodic(
            partial(self._take, reading),
            pause=pause,
            is_transient=passes,
            on_away=away,
        )

    async def _take(self, reading: ReadingState) -> bool:
        started = time.monotonic()
        await reading.take()
        if reading.away is not None:
            reading.away.set(0)
        self._taken[reading.name] = time.monotonic()
        self._missing.discard(reading.name)
        self._metrics.reading_seconds.labels(reading.name).set(time.monotonic() - started)
        return True
