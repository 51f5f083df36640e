"""One worker, composed of the shipped parts like ``streams.worker.app``, and its faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from streams import reference
from streams.casework.deadlines import Deadlines
from streams.intake.bugs import BugCounter
from streams.intake.intake import Intake
from streams.kafka.topics import BACKLOG_ORDER
from streams.reference import Reference
from streams.runtime.metrics import Metrics
from streams.runtime.settings import IntakeSettings, KafkaSettings, LoopSettings
from streams.runtime.state import WorkerState
from streams.store import clock
from streams.store.pool import Pool
from streams.worker.lanes import Lanes
from streams.worker.relay import Relay
from tests.producers import FILE
from tests.schedules.connection import Links
from tests.schedules.consumer import Consumer
from tests.schedules.kafka import SESSION_SECONDS
from tests.schedules.loop import Process

if TYPE_CHECKING:
    from tests.schedules.play import World

_IDLE_IN_TRANSACTION: Final = 30.0
_GRACE: Final = 5.0
_LOOPS: Final = LoopSettings(relay_seconds=1.0, relay_batch=20, sweep_seconds=1.0, sweep_batch=5)


@lru_cache(maxsize=1)
def ref() -> Reference:
    """Return the shipped reference data."""
    return reference.load(producers_file=FILE)


@lru_cache(maxsize=1)
def _metrics() -> Metrics:
    """Return one set of metrics for all runs; the simulation does not read them."""
    return Metrics()


class Worker:
    """A worker, from start to end."""

    def __init__(self, name: str, world: World) -> None:
        self.process = Process(name)
        self.gone = False
        self._world = world
        self._links = Links(world.database)
        self._links.killed = self._die
        self._tasks: list[asyncio.Task[Any]] = []
        pool = cast(Pool, self._links)
        settings, state = IntakeSettings(batch_max=world.schedule.batch_max), WorkerState()
        bugs = BugCounter(settings.max_bugs_in_a_row)
        relay = Relay(pool, KafkaSettings(), _LOOPS, _metrics(), state)

        def intake() -> Intake:
            return Intake(pool, ref(), clock.now, _metrics(), state, bugs, settings, relay.publish)

        handlers = [intake().handle for _ in range(world.schedule.writers)]
        self._lanes = Lanes(handlers, settings.batch_max, BACKLOG_ORDER.index)
        self._consumer = Consumer(
            self.process,
            self._lanes,
            world.group,
            settings.batch_max,
            world.dice,
            world.checks.done,
        )
        deadlines = Deadlines(pool, ref(), clock.now, _metrics(), _LOOPS, relay.publish)
        for work in (relay.run(), deadlines.run(), self._lanes.run(), self._consumer.run()):
            self._keep(work)

    def crash(self, why: str) -> None:
        """Kill it: no task continues, and other members notice only by timeouts."""
        if not self.gone:
            self._world.say("crash", self.process.name, why)
            self.gone = True
            self.process.halt()
            self._later(self._world.dice.uniform(0, 0.3), self._links.cut)
            self._later(SESSION_SECONDS, self._world.group.expire, self._consumer)

    def freeze(self, seconds: float, *, cut_off: bool) -> None:
        """Freeze it and resume it later; ``cut_off`` ends its connections at once."""
        self._world.say("freeze", self.process.name, seconds)
        self.process.halt()
        if cut_off:
            self._links.cut()
        for link in self._links.links:
            link.settle()
        self._later(SESSION_SECONDS, self._world.group.expire, self._consumer)
        self._later(_IDLE_IN_TRANSACTION, self._time_out)
        self._later(seconds, self.thaw)

    def thaw(self) -> None:
        """Resume it if it is frozen."""
        if self.process.halted and not self.gone:
            self._world.say("thaw", self.process.name)
            self.process.resume()

    def stop(self) -> None:
        """Stop gracefully: finish batches in flight, commit, leave the group."""
        self.gone = True
        self.process.spawn(self._stop())

    def cut(self) -> None:
        """Lose all connections to the database."""
        self._links.cut()

    def _die(self, why: str) -> None:
        """Crash, and restart as by a supervisor."""
        if not self.gone:
            self.crash(why)
            self._later(self._world.dice.uniform(0.5, 3), self._world.start)

    async def _stop(self) -> None:
        self._world.say("stop", self.process.name)
        await self._consumer.stop()
        self._tasks.pop().cancel()
        await self._lanes.settle(_GRACE)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._world.say("stopped", self.process.name)

    def _time_out(self) -> None:
        if self.process.halted:
            self._links.cut(idle_in_transaction=True)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.process.spawn(work)
        self._tasks.append(task)

        def died(done: asyncio.Task[Any]) -> None:
            if not done.cancelled() and (error := done.exception()) is not None:
                self._die(f"{type(error).__name__}: {error}")

        task.add_done_callback(died)

    @staticmethod
    def _later(delay: float, call: Callable[..., object], *args: Any) -> None:
        asyncio.get_running_loop().call_later(delay, call, *args, context=Context())
