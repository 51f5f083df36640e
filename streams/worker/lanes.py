"""Lanes: whole lists of records to the intake, several batches under way, each case in order.

A lane is one writer with a queue. A partition number always takes the same lane, so the events of
one case, whose topics are partitioned alike, never overtake each other. Batches are greedy: all
that waits, up to a limit, so a quiet stream is handled record by record and a backlog in bulk.
Of a backlog the topics that rank first are taken first.

Knows no Faust and no Kafka: what is put in are lists of records, what comes out are the offsets
that may be committed.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from streams.intake.record import Record

Handle: TypeAlias = Callable[[Sequence[Record]], Awaitable[object]]
"""Brings a batch into the database; on return it is committed there. Never called twice at once."""

Partition: TypeAlias = tuple[str, int]
"""Topic and partition number."""

_AHEAD: Final = 4_000
"""Records that may wait in a lane: enough of every topic to choose from, some 7 MB at most."""


class _Lane:
    """One writer's queues, by rank: lists of records in the order in which they came."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.queues: dict[int, deque[tuple[Partition, Sequence[Record]]]] = {}
        self.waiting: Counter[Partition] = Counter()
        self.filled = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self.begun: float | None = None

    def put(self, rank: int, partition: Partition, records: Sequence[Record]) -> None:
        self.queues.setdefault(rank, deque()).append((partition, records))
        self.waiting[partition] += len(records)
        self.filled.set()

    def take(self, limit: int) -> tuple[list[Record], dict[Partition, int]]:
        """Remove up to ``limit`` records; return them with the offset after each partition's."""
        batch: list[Record] = []
        after: dict[Partition, int] = {}
        for _, queue in sorted(self.queues.items()):
            while queue and len(batch) < limit:
                partition, records = queue.popleft()
                room = limit - len(batch)
                if len(records) > room:
                    queue.appendleft((partition, records[room:]))
                    records = records[:room]
                batch += records
                after[partition] = records[-1].position.offset + 1
                self.waiting[partition] -= len(records)
        if not any(self.queues.values()):
            self.filled.clear()
        return batch, after

    def clear(self) -> None:
        self.queues.clear()
        self.waiting.clear()
        self.filled.clear()


class Lanes:
    """The lanes of one worker. At most one batch is in flight on each."""

    def __init__(
        self, handlers: Sequence[Handle], batch_max: int, rank: Callable[[str], int] = lambda _: 0
    ) -> None:
        """``rank`` orders topics: what waits of a lower one is taken first."""
        self._rank = rank
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

    def seconds_in_flight(self) -> float:
        """Return for how long the batch that began first has been under way; 0 when none is."""
        now = time.monotonic()
        return max((now - lane.begun for lane in self._lanes if lane.begun is not None), default=0)

    def has_room(self, partition: Partition) -> bool:
        """Whether less than half a batch of this partition waits, and not too much in its lane."""
        waiting = self._lane(partition).waiting
        return 2 * waiting[partition] < self._batch_max and waiting.total() < _AHEAD

    async def room(self, patience: float) -> None:
        """Wait until a batch was taken from some lane, at most ``patience`` seconds."""
        self._room.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._room.wait()

    def put(self, partition: Partition, records: Sequence[Record]) -> None:
        """Queue records of one partition, ascending by offset. Never blocks; see ``has_room``."""
        self._lane(partition).put(self._rank(partition[0]), partition, records)

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
            lane.begun = time.monotonic()
            try:
                await lane.handle(batch)
            finally:
                lane.begun = None
                lane.idle.set()
            if era == self._era:
                self._done.update(after)
