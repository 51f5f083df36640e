"""Lanes: parallel batch queues to the intake that preserve the order of each case.

A lane is one writer with a queue. All topics are partitioned alike, and a partition number always
maps to the same lane, so the events of one case stay in order. A batch holds all queued records, up
to a limit: a quiet stream is handled record by record, a backlog in bulk. Topics that rank first
are handled first.

Knows neither Faust nor Kafka: lists of records go in, offsets to commit come out.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from streams.intake.record import Record
from streams.store.gaps import Gap, LogOpened

Item: TypeAlias = Record | Gap | LogOpened
"""What a lane holds: a record, offsets in its place that were never seen, or where reading begins.
"""

Handle: TypeAlias = Callable[[Sequence[Item]], Awaitable[object]]
"""Commits a batch in the database before it returns. A lane never calls it concurrently."""

Partition: TypeAlias = tuple[str, int]
"""Topic and partition number."""

_AHEAD: Final = 4_000
"""Most records queued in a lane: enough of every topic to rank them, about 7 MB."""


class _Lane:
    """One writer's queues, by rank. Each holds lists of records in order of arrival."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.queues: dict[int, deque[tuple[Partition, Sequence[Item]]]] = {}
        self.waiting: Counter[Partition] = Counter()
        self.total = 0
        """Sum of ``waiting``: it is asked for with each partition, whenever a record arrives."""
        self.reopening: Counter[Partition] = Counter()
        """Partitions with a queued item after which they are read anew."""
        self.in_flight: Counter[Partition] = Counter()
        self.filled = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self.begun: float | None = None

    def put(self, rank: int, partition: Partition, records: Sequence[Item]) -> None:
        self.queues.setdefault(rank, deque()).append((partition, records))
        self.waiting[partition] += len(records)
        self.total += len(records)
        self.reopening[partition] += _reopens(records)
        self.filled.set()

    def take(self, limit: int) -> tuple[list[Item], dict[Partition, int]]:
        """Remove up to ``limit`` records; return them with the offset after each partition's."""
        batch: list[Item] = []
        after: dict[Partition, int] = {}
        for _, queue in sorted(self.queues.items()):
            while queue and len(batch) < limit:
                partition, records = queue.popleft()
                room = limit - len(batch)
                if len(records) > room:
                    queue.appendleft((partition, records[room:]))
                    records = records[:room]
                batch += records
                # Where reading begins says nothing about what lies before.
                handled = (one for one in reversed(records) if not isinstance(one, LogOpened))
                if (last := next(handled, None)) is not None:
                    after[partition] = last.next_offset
                self.waiting[partition] -= len(records)
                self.total -= len(records)
                self.reopening[partition] -= _reopens(records)
                self.in_flight[partition] += len(records)
        if not any(self.queues.values()):
            self.filled.clear()
        return batch, after

    def clear(self) -> None:
        self.queues.clear()
        self.waiting.clear()
        self.total = 0
        self.reopening.clear()
        self.filled.clear()


class Lanes:
    """The lanes of one worker. At most one batch is in flight on each."""

    def __init__(
        self, handlers: Sequence[Handle], batch_max: int, rank: Callable[[str], int] = lambda _: 0
    ) -> None:
        """``rank`` orders topics: records of a topic with a lower rank are handled first."""
        self._rank = rank
        self._lanes = [_Lane(handle) for handle in handlers]
        self._batch_max = batch_max
        self._done: dict[Partition, int] = {}
        self._era = 0
        self._room = asyncio.Event()

    @property
    def done(self) -> Mapping[Partition, int]:
        """For each partition the offset after its last record that is in the database.

        All records below it since the assignment are in the database too: one lane handles a
        partition's records in order, and a batch that fails stops the worker.
        """
        return self._done

    def seconds_in_flight(self) -> float:
        """Return how long the oldest batch has been in flight; 0 when none is."""
        now = time.monotonic()
        return max((now - lane.begun for lane in self._lanes if lane.begun is not None), default=0)

    def has_room(self, partition: Partition) -> bool:
        """Whether less than half a batch of the partition is queued, and its lane is not full."""
        lane = self._lane(partition)
        return 2 * lane.waiting[partition] < self._batch_max and lane.total < _AHEAD

    def all_busy(self) -> bool:
        """Whether every lane has a batch in flight, and records for the next one."""
        return all(lane.begun is not None and lane.total for lane in self._lanes)

    def unfinished(self, partition: Partition) -> int:
        """Return how many records of a partition are queued or in flight."""
        lane = self._lane(partition)
        return lane.waiting[partition] + lane.in_flight[partition]

    def queued(self) -> dict[Partition, int]:
        """Return the first queued offset of each partition that has any."""
        first: dict[Partition, int] = {}
        for lane in self._lanes:
            for queue in lane.queues.values():
                for partition, records in queue:
                    first.setdefault(partition, records[0].position.offset)
        return first

    def skip_to(self, partition: Partition, offset: int) -> None:
        """Count everything below an offset as done, unless records are queued or in flight.

        The fetcher is there already: what lies between are no records, but marks of transactions
        or records of aborted ones.
        """
        # Most are there already, and this runs for every partition after each fetch.
        if offset > self._done.get(partition, 0) and not self.unfinished(partition):
            self._done[partition] = offset

    async def room(self, patience: float) -> None:
        """Wait until any lane starts a batch, at most ``patience`` seconds."""
        self._room.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._room.wait()

    def put(self, partition: Partition, records: Sequence[Item]) -> None:
        """Queue records of one partition, ascending by offset. Never blocks; see ``has_room``.

        Once it is to be read anew, no offset of before counts as done: it may be of another log.
        """
        if _reopens(records):
            self._done.pop(partition, None)
        self._lane(partition).put(self._rank(partition[0]), partition, records)

    async def run(self) -> None:
        """Handle batches until cancelled; the first failure cancels all lanes.

        Raises:
            Exception: the handler's error. The batch that failed does not count as done.
        """
        tasks = [asyncio.create_task(self._write(lane)) for lane in self._lanes]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self, patience: float) -> bool:
        """Discard queued records and wait for batches in flight; return whether all finished.

        Waits ``patience`` seconds at most. Finished batches still count as done, so their offsets
        can be committed before the partitions are released.
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
        """Discard all offsets: the partitions are assigned to another worker.

        A batch still in flight finishes in the database, where the log's primary key makes it
        harmless. Its offsets are not reported.
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
                lane.in_flight.clear()
                lane.idle.set()
            if era == self._era:
                self._done.update(
                    {part: offset for part, offset in after.items() if not lane.reopening[part]}
                )


def _reopens(records: Sequence[Item]) -> int:
    """Return how many of these items begin to read a partition anew."""
    return sum(isinstance(item, LogOpened) and item.anew for item in records)
