"""The input topics and the consumer group that reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final, TypeAlias
from zlib import crc32

from schemas.events import INPUT_TOPICS
from streams.intake.record import Record
from streams.store.events import Position
from tests.schedules.inputs import Input

if TYPE_CHECKING:
    from tests.schedules.consumer import Consumer

Partition: TypeAlias = tuple[str, int]

SESSION_SECONDS: Final = 10.0
"""The session timeout in seconds: a silent consumer is removed from the group."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A record on its partition, and its expected result."""

    record: Record
    source: Input


class Log:
    """The input topics, all with the same number of partitions."""

    def __init__(self, partitions: int) -> None:
        self._count = partitions
        self.held: dict[Partition, list[Sent]] = {
            (topic, number): [] for topic in INPUT_TOPICS for number in range(partitions)
        }

    def append(self, source: Input) -> Position:
        """Append a record to the partition of its key."""
        sent = source.record
        number = crc32(sent.key) % self._count
        place = Position(sent.topic, number, len(self.held[sent.topic, number]))
        record = Record(place, sent.key, sent.value, sent.headers)
        self.held[sent.topic, number].append(Sent(record, source))
        return place

    def read(self, partition: Partition, offset: int, limit: int) -> list[Record]:
        """Return records from an offset on."""
        return [sent.record for sent in self.held[partition][offset : offset + limit]]

    def ends(self) -> dict[Partition, int]:
        """Return the offset after the last record of each partition."""
        return {partition: len(held) for partition, held in self.held.items()}


Watch: TypeAlias = Callable[[str, Mapping[Partition, int]], None]


class Group:
    """The coordinator: assignments, generations and committed offsets.

    A partition number of all topics goes to one member, unless the partitions are ``scattered``.

    A rebalance revokes the partitions of every member, waits for those that answer, and removes
    the others.
    """

    def __init__(
        self, log: Log, scattered: bool, dice: Random, watch: Watch, say: Callable[..., None]
    ) -> None:
        """``watch`` receives every accepted commit before it is written."""
        self.log = log
        self.committed: dict[Partition, int] = dict.fromkeys(log.held, 0)
        self.generation = 0
        self._scattered = scattered
        self.owners: dict[Partition, str] = {}
        self._members: list[Consumer] = []
        self._changed = asyncio.Event()
        self._dice = dice
        self._watch = watch
        self._say = say

    def knows(self, member: Consumer) -> bool:
        """Whether the consumer is a member."""
        return member in self._members

    def join(self, member: Consumer) -> None:
        """Add a consumer; it gets partitions with the next generation."""
        if member not in self._members:
            self._members.append(member)
            self._changed.set()

    def leave(self, member: Consumer) -> None:
        """Remove a consumer; its partitions go to the others."""
        if member in self._members:
            self._members.remove(member)
            self._changed.set()

    def expire(self, member: Consumer) -> None:
        """Remove a consumer whose session expired, unless it is alive again."""
        if member.process.halted:
            self.leave(member)

    def commit(self, member: Consumer, generation: int, offsets: Mapping[Partition, int]) -> bool:
        """Commit offsets; commits of former members or generations are refused."""
        if member not in self._members or generation != self.generation:
            self._say("offsets refused", member.name)
            return False
        self._watch(member.name, offsets)
        self.committed.update(offsets)
        return True

    async def run(self) -> None:
        """Rebalance after every change of membership."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(self._dice.uniform(0.01, 0.3))
            self._changed.clear()
            await self._let_go(list(self._members))
            self.generation += 1
            self._assign(self._members)

    async def _let_go(self, members: Sequence[Consumer]) -> None:
        asked = {member.process.spawn(member.revoked()): member for member in members}
        if asked:
            await asyncio.wait(asked, timeout=SESSION_SECONDS)
        for task, member in asked.items():
            if not task.done() and member in self._members:
                self._say("removed from the group", member.name)
                self._members.remove(member)

    def _assign(self, members: Sequence[Consumer]) -> None:
        self.owners = {}
        for nth, member in enumerate(members):
            mine = [
                part
                for at, part in enumerate(self.log.held)
                if (at if self._scattered else part[1]) % len(members) == nth
            ]
            self.owners |= dict.fromkeys(mine, member.name)
            member.process.spawn(member.assigned(self.generation, mine))
        self._say("generation", self.generation, *(member.name for member in members))
