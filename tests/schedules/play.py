"""One run: a seed's schedule played until the pipeline is idle, then verified."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Final, cast

from streams.intake import repair
from streams.store import clock
from streams.store.errors import is_transient
from streams.store.pool import Pool
from tests.schedules.checks import Checks
from tests.schedules.connection import Links
from tests.schedules.database import Database
from tests.schedules.inputs import END, START, inputs
from tests.schedules.install import installed
from tests.schedules.kafka import Group, Log
from tests.schedules.loop import Stalled, VirtualLoop
from tests.schedules.producer import Broker
from tests.schedules.schedule import Fault, Schedule, Weather, What
from tests.schedules.verdict import verdict
from tests.schedules.worker import Worker, ref

_PATIENCE: Final = 300.0
"""Seconds after the last fault within which the pipeline must be idle."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run."""

    schedule: Schedule
    findings: tuple[str, ...]
    trace: tuple[str, ...]
    records: int
    messages: int

    @property
    def digest(self) -> str:
        """Return the digest of the trace: equal runs have equal digests."""
        return sha256("\n".join(self.trace).encode()).hexdigest()


class World:
    """Everything in a run, and the workers in it."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.trace: list[tuple[object, ...]] = []
        self.dice = Random(f"world/{schedule.seed}")
        self.weather = Weather(schedule)
        self.checks = checks = Checks(self.say)
        self.database = Database(START, self.dice, self.weather, checks.written)
        self.log = Log(schedule.partitions)
        self.group = Group(self.log, schedule.scattered, self.dice, checks.committed, self.say)
        self.broker = Broker(self.dice, schedule.refused_share, checks.arrives)
        checks.database, checks.log = self.database, self.log
        checks.group, checks.broker = self.group, self.broker
        self.workers: list[Worker] = []
        self._inputs = inputs(schedule.seed, schedule.cases)
        self.fed = False
        self._days_passed = asyncio.Event()
        self._others: list[asyncio.Task[None]] = []

    def say(self, *words: object) -> None:
        """Add a line to the trace."""
        if not self.database.over:
            self.trace.append((asyncio.get_running_loop().time(), *words))

    def hear(self, level: str, *words: object) -> None:
        """Record a log line; no fault of a schedule may be logged as a bug in our own code."""
        self.say(level, *words)
        if level in ("error", "critical"):
            self.checks.found(" ".join(map(str, words)))

    async def play(self) -> list[str]:
        """Play the schedule, wait until the pipeline is idle, and return the violations."""
        self._others = [asyncio.create_task(self.group.run()), asyncio.create_task(self._feed())]
        for _ in range(self.schedule.workers):
            self.start()
        for fault in self.schedule.faults:
            await self._until(fault.at)
            if self.checks.findings:
                break
            self._befall(fault)
        try:
            if self.checks.findings or not await self._rest():
                return self.checks.findings
            return [*self.checks.findings, *verdict(self, ref())]
        finally:
            await self._bury()

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))

    def start(self) -> None:
        """Start one more worker."""
        self.workers.append(Worker(f"worker-{len(self.workers)}", self))
        self.say("start", self.workers[-1].process.name)

    def _befall(self, fault: Fault) -> None:
        self.say("fault", fault.what, fault.who, fault.size)
        up = [w for w in self.workers if not w.gone and not w.process.halted]
        match fault.what:
            case What.DAYS:
                self._pass_days(int(fault.size))
            case What.START:
                self.start()
            case What.DATABASE_AWAY:
                self.database.away = True
                for worker in self.workers:
                    worker.cut()
                self.database.lose_lazy()
                self._after(fault.size, self._database_back)
            case What.BROKER_AWAY:
                self.broker.away = True
                self._after(fault.size, self._broker_back)
            case What.DISCARD:
                self._others.append(asyncio.create_task(self._discard()))
            case _ if up:
                self._strike(up[fault.who % len(up)], fault)

    @staticmethod
    def _strike(worker: Worker, fault: Fault) -> None:
        if fault.what is What.CRASH:
            worker.crash("at any await")
        elif fault.what is What.STOP:
            worker.stop()
        else:
            worker.freeze(fault.size, cut_off=fault.what is What.CUT_OFF)

    def _pass_days(self, days: int) -> None:
        self.database.jump(days)
        self._days_passed.set()

    @staticmethod
    def _after(seconds: float, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, call)

    def _database_back(self) -> None:
        self.database.away = False

    def _broker_back(self) -> None:
        self.broker.away = False

    async def _feed(self) -> None:
        """Publish each record at its time."""
        for told in self._inputs:
            while told.at > self.database.now():
                self._days_passed.clear()
                await self._days_passed.wait()
            await asyncio.sleep(self.schedule.gap * self.dice.random())
            self.say("published", self.log.append(told), told.reason)
        self.fed = True

    async def _discard(self) -> None:
        pool = cast(Pool, Links(self.database))
        for place, (number, _, resolution) in list(self.database.tables["dead_letter"].items()):
            if resolution is None:
                try:
                    await repair.discard(pool, number, ref(), clock.now, "simulated")
                except Exception as error:
                    if not is_transient(error) and not isinstance(error, repair.RepairError):
                        raise
                else:
                    self.say("discarded", place)

    async def _rest(self) -> bool:
        """End all faults and skip all days; return whether the pipeline became idle in time."""
        self.weather.calm = self.broker.calm = True
        self.database.away = self.broker.away = False
        for worker in self.workers:
            worker.thaw()
        if all(worker.gone for worker in self.workers):
            self.start()
        # A late record may be published after the end of the history.
        last = max((told.at for told in self._inputs), default=END)
        while self.database.now() < max(END, last):
            self._pass_days(15)
            await asyncio.sleep(0.5)
        until = asyncio.get_running_loop().time() + _PATIENCE
        while asyncio.get_running_loop().time() < until and not self.checks.findings:
            if self._at_rest():
                return True
            await asyncio.sleep(1.0)
        if not self.checks.findings:
            self.checks.found("it did not become idle")
        return False

    def _at_rest(self) -> bool:
        projections = self.database.tables["case_projection"].values()
        now = self.database.now()
        return (
            self.fed
            and self.group.committed == self.log.ends()
            and not self.database.tables["outbox_pending"]
            and not any(s and s.next_check_at and s.next_check_at <= now for s, _ in projections)
        )

    async def _bury(self) -> None:
        """End every task, also of killed workers, without letting any do more work."""
        self.database.over = True
        for worker in self.workers:
            if worker.process.halted:
                worker.process.resume()
        mine = asyncio.current_task()
        while left := [task for task in asyncio.all_tasks() if task is not mine]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1.0)


def run(seed: int, planted: Callable[[], AbstractContextManager[object]] = nullcontext) -> Outcome:
    """Run one seed, with a planted bug if one is given."""
    schedule = Schedule.of(seed)
    threads, jitter = Random(f"threads/{seed}"), Random(f"jitter/{seed}")
    loop = VirtualLoop(lambda: threads.uniform(0.001, 0.2))

    async def play() -> tuple[World, list[str]]:
        world = World(schedule)
        with installed(jitter, world.broker.producer, world.hear), planted():
            return world, await world.play()

    try:
        world, findings = loop.run_until_complete(play())
    except Stalled:
        raise RuntimeError(f"seed {seed}: no callback or timer is left") from None
    finally:
        loop.close()
    return Outcome(
        schedule,
        tuple(findings),
        tuple(" ".join(map(str, line)) for line in world.trace),
        sum(world.log.ends().values()),
        len(world.broker.arrived),
    )
