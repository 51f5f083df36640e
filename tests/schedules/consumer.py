"""One worker's consumer: the behaviour of ``streams.worker.transport``, without Faust.

Records go into the lanes when there is room; offsets come from ``Lanes.done`` only; partitions are
revoked by ``settle``, a last commit and ``forget``, in this order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeAlias

from streams.worker.lanes import Lanes
from tests.schedules.kafka import SESSION_SECONDS, Group, Partition
from tests.schedules.loop import Process

Watch: TypeAlias = Callable[[str, Mapping[Partition, int], Mapping[Partition, int]], None]

_COMMIT_SECONDS = 0.5


class Consumer:
    """A member of the consumer group that fills lanes."""

    def __init__(
        self,
        process: Process,
        lanes: Lanes,
        group: Group,
        batch_max: int,
        dice: Random,
        watch: Watch,
    ) -> None:
        """``watch`` receives the offsets of the lanes, and the first offsets of this assignment."""
        self.process = process
        self.name = process.name
        self._lanes = lanes
        self._group = group
        self._batch_max = batch_max
        self._dice = dice
        self._watch = watch
        self._generation = -1
        self._positions: dict[Partition, int] = {}
        self._began: dict[Partition, int] = {}
        self._told: dict[Partition, int] = {}
        self._flowing = asyncio.Event()
        self._changing = asyncio.Lock()
        self._committing = asyncio.Lock()

    async def run(self) -> None:
        """Consume until cancelled."""
        self._group.join(self)
        loops = self._fetch(), self._commit_now_and_then(), self._keep_membership()
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def stop(self) -> None:
        """Stop consuming, commit the offsets that are done, and leave the group."""
        self._flowing.clear()
        await self.commit()
        self._group.leave(self)

    async def revoked(self) -> None:
        """Release the partitions after finishing and committing batches in flight if possible."""
        async with self._changing:
            self._flowing.clear()
            await self._lanes.settle(SESSION_SECONDS / 2)
            await self.commit()
            self._lanes.forget()
            self._positions, self._began, self._told = {}, {}, {}

    async def assigned(self, generation: int, partitions: Sequence[Partition]) -> None:
        """Start reading partitions at their committed offsets."""
        self._generation = generation
        self._began = {part: self._group.committed[part] for part in partitions}
        self._positions, self._told = dict(self._began), dict(self._began)
        self._flowing.set()

    async def commit(self) -> None:
        """Commit the offsets that are done and not yet committed."""
        async with self._committing:
            done = dict(self._lanes.done)
            self._watch(self.name, done, self._began)
            ahead = {p: at for p, at in done.items() if p in self._began and at > self._told[p]}
            if not ahead:
                return
            generation = self._generation
            await asyncio.sleep(self._dice.uniform(0.001, 0.03))
            if self._group.commit(self, generation, ahead):
                self._told |= ahead

    async def _fetch(self) -> None:
        while True:
            await self._flowing.wait()
            generation = self._generation
            wanted = {p: at for p, at in self._positions.items() if self._lanes.has_room(p)}
            await asyncio.sleep(self._dice.uniform(0.002, 0.03))
            found = {
                part: records
                for part, at in wanted.items()
                if (records := self._group.log.read(part, at, self._batch_max))
            }
            if not self._flowing.is_set() or generation != self._generation:
                continue
            for partition, records in found.items():
                self._lanes.put(partition, records)
                self._positions[partition] += len(records)
            if len(wanted) < len(self._positions):
                await self._lanes.room(0.2)
            elif not found:
                await asyncio.sleep(0.3)

    async def _commit_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_COMMIT_SECONDS)
            await self.commit()

    async def _keep_membership(self) -> None:
        while True:
            await asyncio.sleep(SESSION_SECONDS / 4)
            if not self._group.knows(self):
                await self.revoked()
                self._group.join(self)
