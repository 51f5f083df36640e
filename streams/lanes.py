"""Lanes: whole lists of records to the intake, several batches under way, each case in order.

A lane is one writer with a queue. A partition number always takes the same lane, so the events of
one case, whose topics are partitioned alike, never overtake each other. Batches are greedy: all
that waits, up to a limit, so a quiet stream is handled record by record and a backlog in bulk.

Knows no Faust and no Kafka: what is put in are lists of records, what comes out are the offsets
that may be committed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias

from streams.records import Record

Handle: TypeAlias = Callable[[Sequence[Record]], Awaitable[object]]
"""Brings a batch into the database; on return it is committed there. Never called twice at once."""

Partition: TypeAlias = tuple[str, int]
"""Topic and partition number."""


class _Lane:
    """One writer's queue: lists of records in the order in which they came."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.queue: deque[tuple[Partition, Sequence[Record]]] = deque()
        self.waiting = 0
        self.filled = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    def take(self, limit: int) -> tuple[list[Record], dict[Partition, int]]:
        """Remove up to ``limit`` records; return them with the offset after each partition's."""
        batch: list[Record] = []
        after: dict[Partition, int] = {}
        while self.queue and len(batch) < limit:
            partition, records = self.queue.popleft()
            room = limit - len(batch)
            if len(records) > room:
                self.queue.appendleft((partition, records[room:]))
                records = records[:room]
            batch += records
            after[partition] = records[-1].position.offset + 1
        self.waiting -= len(batch)
        if not self.queue:
            self.filled.clear()
        return batch, after

    def clear(self) -> None:
        self.queue.clear()
        self.waiting = 0
        self.filled.clear()


class Lanes:
    """The lanes of one worker. At most one batch is in flight on each."""

    def __init__(self, handlers: Sequence[Handle], batch_max: int) -> None:
        self._lanes = [_Lane(handle) for handle in handlers]
        self._batch_max = batch_max
        self._done: dict[Partition, int] = {}
        self._era = 0
        self._room = asyncio.Event()

    @property
    def done(self) -> Mapping[Partition, int]:
        """For each partition the offset after the last record that is in the database.

        Everything below it since the partition was assigned is in the database too: a partition's
        records pass one lane in order, and a batch that fails ends the worker.
        """
        return self._done

    def has_room(self, partition: Partition) -> bool:
        """Whether less than a batch waits where this partition goes."""
        return self._lane(partition).waiting < self._batch_max

    async def room(self, patience: float) -> None:
        """Wait until a batch was taken from some lane, at most ``patience`` seconds."""
        self._room.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._room.wait()

    def put(self, partition: Partition, records: Sequence[Record]) -> None:
        """Queue records of one partition, ascending by offset. Never blocks; see ``has_room``."""
        lane = self._lane(partition)
        lane.queue.append((partition, records))
        lane.waiting += len(records)
        lane.filled.set()

    async def run(self) -> None:
        """Write for ever; the first batch that fails cancels all lanes.

        Raises:
            Exception: what the handler raised. Nothing of its batch counts as done.
        """
        tasks = [asyncio.create_task(self._write(lane)) for lane in self._lanes]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self, patience: float) -> bool:
        """Drop what waits, wait for what is in flight; whether all of it came to its end.

        What finishes still counts as done, so that it can be committed before the partitions go.
        """
        for lane in self._lanes:
            lane.clear()
        self._room.set()
        try:
            async with asyncio.timeout(patience):
                for lane in self._lanes:
                    await lane.idle.wait()
        except TimeoutError:
            return False
        return True

    def forget(self) -> None:
        """Forget what is done: the partitions belong to someone else now.

        A batch still in flight comes to its end in the database, where the log's primary key makes
        it harmless, but no longer says anything about offsets.
        """
        self._era += 1
        self._done.clear()
        for lane in self._lanes:
            lane.clear()

    def _lane(self, partition: Partition) -> _Lane:
        return self._lanes[partition[1] % len(self._lanes)]

    async def _write(self, lane: _Lane) -> None:
        while True:
            await lane.filled.wait()
            batch, after = lane.take(self._batch_max)
            era = self._era
            self._room.set()
            lane.idle.clear()
            try:
                await lane.handle(batch)
            finally:
                lane.idle.set()
            if era == self._era:
                self._done.update(after)
