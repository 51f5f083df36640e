"""Readings taken again and again, each at its own pace, each with its age."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog
from prometheus_client import Gauge

from streams.audit import AuditError
from streams.runtime.metrics import ExporterMetrics
from streams.store.errors import is_transient

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReadingState:
    """Something that is read every so many seconds; ``take`` sets the gauges that it is for."""

    name: str
    every_seconds: float
    take: Callable[[], Awaitable[None]]
    away: Gauge | None = None
    """1 while it can't be read, where a server that is away is the only reason."""


class ReadingLoops:
    """Takes readings until cancelled. What can't be read now is read later, and its age shows."""

    def __init__(self, readings: list[ReadingState], metrics: ExporterMetrics) -> None:
        self._metrics = metrics
        self._readings = readings
        begun = time.monotonic()
        self._taken = {reading.name: begun for reading in readings}
        self._missing = {reading.name for reading in readings}
        for name in self._taken:
            metrics.reading_age.labels(name).set_function(partial(self.age, name))

    def age(self, name: str) -> float:
        """Return for how many seconds a reading has not come about."""
        return time.monotonic() - self._taken[name]

    @property
    def missing(self) -> set[str]:
        """Return the readings that never came about."""
        return set(self._missing)

    async def run(self) -> None:
        """Take every reading for ever; one that blocks holds up no other."""
        async with asyncio.TaskGroup() as group:
            for reading in self._readings:
                group.create_task(self._keep(reading), name=reading.name)

    async def _keep(self, reading: ReadingState) -> None:
        while True:
            begun = time.monotonic()
            await self._take(reading)
            await asyncio.sleep(max(0.0, reading.every_seconds - (time.monotonic() - begun)))

    async def _take(self, reading: ReadingState) -> None:
        begun = time.monotonic()
        try:
            await reading.take()
        except Exception as error:
            if not (isinstance(error, AuditError) or is_transient(error)):
                raise
            if reading.away is not None:
                reading.away.set(1)
            log.warning("not_read", reading=reading.name, error=type(error).__name__)
            return
        if reading.away is not None:
            reading.away.set(0)
        self._taken[reading.name] = time.monotonic()
        self._missing.discard(reading.name)
        self._metrics.reading_seconds.labels(reading.name).set(time.monotonic() - begun)
