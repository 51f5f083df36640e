"""No offset is passed unnoticed: each is stored or told as lost, whatever moves the position."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

import pytest
from aiokafka import errors
from aiokafka.consumer import fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from streams.store.gaps import Gap, GapReason, LogOpened, compare
from streams.worker.fetching import LaneFetcher
from streams.worker.lanes import Item, Lanes
from streams.worker.transport import LaneConsumer, Reader
from tests.worker.test_prefetch import batch

PARTITION: Final = TopicPartition("orders", 0)
_EARLIEST: Final = fetcher.OffsetResetStrategy.EARLIEST
_OUT_OF_RANGE: Final = errors.OffsetOutOfRangeError.errno
_UNKNOWN_TOPIC: Final = errors.UnknownTopicOrPartitionError.errno


class Broker:
    """One partition, which loses its beginning, or is of another topic; and the group's offset."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self.topic = 1
        """The number of the topic: another one once it was deleted and made again."""
        self.begin, self.end = 0, 0
        self.ends: dict[int, int] = {}
        """Where the log of each former topic ended."""
        self.committed: int | None = None
        self.denials = 0
        """How many times it gives no offset for the group."""

    async def turns(self) -> None:
        for _ in range(self._dice.randrange(6)):
            await asyncio.sleep(0)

    def replace(self) -> None:
        self.ends[self.topic] = self.end
        self.topic += 1
        self.begin = self.end = 0

    async def offset(self) -> int | None:
        """Return the committed offset of the group, or deny it."""
        await self.turns()
        if self.denials:
            self.denials -= 1
            return None
        return self.committed


class Client:
    """A client of the broker."""

    ids_read_at = -math.inf
    _metadata_max_age_ms = 1_000

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self.cluster = SimpleNamespace(
            leader_for_partition=lambda _: 1, partitions_for_topic=lambda _: {0}
        )
        self.topic_ids: dict[str, UUID] = {}
        self._fetched = broker.topic
        """The topic that the last fetch was of."""

    @property
    def topic_ids_known(self) -> bool:
        return self.ids_read_at > -math.inf

    def force_metadata_update(self) -> asyncio.Future[bool]:
        asked_at, done = time.monotonic(), self._loop.create_future()

        def answer() -> None:
            self.topic_ids["orders"] = UUID(int=self._broker.topic)
            self.ids_read_at = asked_at
            done.set_result(True)

        self._loop.call_soon(answer)
        return done

    async def send(self, _: int, request: Any) -> Any:
        """Answer a fetch with at most three records, whose values are the number of the topic."""
        broker = self._broker
        await broker.turns()
        [[topic, [[number, offset, _]]]] = request.topics
        code, found, end = 0, b"", broker.end
        if self._fetched != broker.topic:
            code, self._fetched = _UNKNOWN_TOPIC, broker.topic
        elif not broker.begin <= offset <= broker.end:
            code = _OUT_OF_RANGE
        elif offset < broker.end:
            values = [b"%d" % broker.topic] * min(3, broker.end - offset)
            found = batch(values, offset=offset)
        else:
            await asyncio.sleep(0.0005)
        answer: list[tuple[Any, ...]] = [(number, code, end, end, [], found)]
        return SimpleNamespace(API_VERSION=4, topics=[(topic, answer)])

    async def limits(self, _: int, asked: Any) -> Any:
        broker = self._broker
        await broker.turns()
        [[number, which]] = asked["orders"]
        found = broker.begin if which == _EARLIEST else broker.end
        return {TopicPartition("orders", number): (found, None)}


class Database:
    """What the intake stores."""

    def __init__(self) -> None:
        self.known: tuple[int, UUID | None] | None = None
        self.stored: set[tuple[int, int]] = set()
        """Numbers of topics and offsets."""
        self.lost: set[int] = set()
        """Offsets, of the present topic as far as that is known."""
        self.replaced: dict[int, tuple[int, set[int]]] = {}
        """How far each former topic was handled, and the offsets told as lost, by its number."""

    def put(self, gap: Gap) -> None:
        offsets = {*range(gap.position.offset, gap.next_offset)}
        if gap.reason is not GapReason.TOPIC_REPLACED:
            self.lost |= offsets
        elif self.known is not None and self.known[1] is not None:
            self.replaced[self.known[1].int][1].update(offsets)

    def advance(self, offset: int) -> None:
        self.known = (offset, None if self.known is None else self.known[1])


class Worker:
    """A fetcher, its lanes and its intake, driven as Faust drives them."""

    def __init__(self, broker: Broker, database: Database) -> None:
        self.broker, self.database = broker, database
        self.subscriptions = SubscriptionState()
        self.subscriptions.subscribe({"orders"})
        self.client = Client(broker)
        self.fetcher = LaneFetcher(
            self.client,
            self.subscriptions,
            fetcher_timeout=0.01,
            retry_backoff_ms=1,
            prefetch_backoff=0,
            auto_offset_reset="earliest",
        )
        self.fetcher._proc_offset_request = self.client.limits
        self.lanes = Lanes([self._handle], batch_max=4)
        consumer = SimpleNamespace(_fetcher=self.fetcher, _subscription=self.subscriptions)
        self.consumer = LaneConsumer.__new__(LaneConsumer)
        self.consumer.__dict__ |= {
            "app": SimpleNamespace(lanes=self.lanes),
            "_thread": SimpleNamespace(_consumer=consumer),
            "_committed_offset": {},
        }
        self._tasks = [asyncio.create_task(self.lanes.run())]
        self._assign()

    def _assign(self) -> None:
        self.subscriptions.assign_from_subscribed({PARTITION})
        assignment = self.subscriptions.subscription.assignment
        self._tasks.append(asyncio.create_task(self._give_offsets(assignment)))

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.fetcher.close()

    async def _give_offsets(self, assignment: Any) -> None:
        """Give the committed offset whenever the client wants it, as aiokafka's coordinator."""
        while True:
            await assignment.commit_refresh_needed.wait()
            assignment.commit_refresh_needed.clear()
            found = await self.broker.offset()
            offset = fetcher.UNKNOWN_OFFSET if found is None else found
            assignment.state_value(PARTITION).update_committed(OffsetAndMetadata(offset, ""))

    async def _handle(self, items: Sequence[Item]) -> None:
        await self.broker.turns()
        database = self.database
        for item in items:
            if isinstance(item, LogOpened):
                handled, known = database.known or (0, None)
                found = compare(item, handled, known)
                if found.replaced and known is not None:
                    database.lost.clear()
                    database.replaced[known.int] = handled, set()
                for gap in found.gaps:
                    database.put(gap)
                if found.restarts:
                    database.known = (item.position.offset, item.topic_id)
                elif database.known is not None and known is None:
                    database.known = (database.known[0], item.topic_id)
                await self.broker.turns()
                self.fetcher.answer(item, found.reread)
            elif isinstance(item, Gap):
                database.put(item)
                database.advance(item.next_offset)
            else:
                database.stored.add((int(item.value or b""), item.position.offset))
                database.advance(item.next_offset)

    def seen(self) -> tuple[int, int] | None:
        """Return the number of the topic that is read, and the end of its log as last seen."""
        assignment = self.subscriptions.subscription.assignment
        end, topic_id = assignment.state_value(PARTITION).lso, self.fetcher._logs.get(PARTITION)
        if end is None or topic_id is None or not self.fetcher.is_open(PARTITION):
            return None
        return topic_id.int, end

    async def deliver(self) -> None:
        room = [PARTITION] if self.lanes.has_room(PARTITION) else [TopicPartition("", 0)]
        fetched = await self.fetcher.fetched_records(room, timeout=0, max_records=2)
        self.consumer._deliver({TP(*tp): found for tp, found in fetched.items()}, [TP(*PARTITION)])

    async def read_until(self, last: tuple[int, int]) -> None:
        """Deliver until the record at an offset of a topic is stored."""
        while last not in self.database.stored:
            await self.deliver()
            await asyncio.sleep(0)

    def commit(self) -> None:
        done = self.lanes.done.get((PARTITION.topic, PARTITION.partition))
        if done is not None:
            self.broker.committed = done

    async def seek(self) -> None:
        """Seek to the committed offset, and to the beginning without one."""
        offset = await self.broker.offset()
        if offset:
            self.fetcher.seek_to(PARTITION, offset)
        else:
            await self.fetcher.request_offset_reset([PARTITION], _EARLIEST)

    async def rebalance(self) -> None:
        """Release the partition and get it again, as a rebalance with one member does."""
        Reader(self.consumer._thread).discard(self.lanes.queued())
        await self.lanes.settle(1)
        self.commit()
        self.lanes.forget()
        self._assign()


class Play:
    """One partition, and one worker after another that reads it, under random faults."""

    def __init__(self, seed: int, faults: Sequence[str]) -> None:
        self._dice = Random(seed)
        self._faults = faults
        self._broker, self._database = Broker(self._dice), Database()
        self._workers = [Worker(self._broker, self._database)]
        self._done: list[str] = []
        self._seen: dict[int, int] = {}
        """Where the log of each topic ended when the worker last saw it."""

    async def run(self) -> None:
        """Inject faults, then let the last worker read to the end, and compare."""
        try:
            async with asyncio.timeout(20):
                for _ in range(150 if self._faults == REPLACED else 60):
                    await self._act()
                    self._look()
                await self._read_to_the_end()
        finally:
            await self._end()
        broker, database = self._broker, self._database
        stored = {offset for topic, offset in database.stored if topic == broker.topic}
        missing = {*range(broker.end)} - stored - database.lost
        assert not missing, f"{sorted(missing)} passed unnoticed: {self._done}"
        if self._faults == FAULTS:
            wrong = stored & database.lost
            assert not wrong, f"{sorted(wrong)} told as lost, but stored: {self._done}"
        if self._faults == REPLACED:
            for topic, (handled, told) in database.replaced.items():
                self._check_former(topic, handled, told)

    def _check_former(self, topic: int, handled: int, told: set[int]) -> None:
        """What a worker that read a former topic saw and did not read is told, and nothing else."""
        stored = {offset for number, offset in self._database.stored if number == topic}
        missing = {*range(self._seen.get(topic, 0))} - stored
        unknown = told == {handled}
        assert missing <= told or unknown, f"{sorted(missing - told)} of {topic}: {self._done}"
        # A topic that was replaced before any worker fetched it may have held anything.
        false = told - {*range(self._broker.ends[topic])} if handled else set()
        assert not (false | told & stored), f"{sorted(told)} of {topic}: {self._done}"

    def _look(self) -> None:
        found = self._workers[-1].seen()
        if found is not None and found[0] == self._broker.topic:
            self._seen[found[0]] = found[1]

    async def _act(self) -> None:
        dice, broker, worker = self._dice, self._broker, self._workers[-1]
        deed = dice.choice(self._faults)
        self._done.append(deed)
        match deed:
            case "append":
                broker.end += dice.randrange(1, 6)
            case "delete":
                broker.begin = dice.randint(broker.begin, broker.end)
            case "deny":
                broker.denials = dice.randrange(3)
            case "replace":
                broker.replace()
            case "deliver":
                await dice.choice(self._workers).deliver()
            case "commit":
                worker.commit()
            case "seek":
                await worker.seek()
            case "rebalance":
                await worker.rebalance()
            case "wait":
                await asyncio.sleep(0.001)
            case "kill":
                await self._end()
                self._workers = [Worker(broker, self._database)]
            case "freeze":
                self._workers.append(Worker(broker, self._database))
            case _:
                await broker.turns()

    async def _read_to_the_end(self) -> None:
        broker = self._broker
        broker.denials = 0
        broker.end += 1
        await self._workers[-1].read_until((broker.topic, broker.end - 1))

    async def _end(self) -> None:
        for worker in self._workers:
            await worker.end()


FAULTS: Final = (
    *("deliver", "deliver", "deliver", "turns", "turns"),
    *("append", "delete", "deny", "commit", "seek", "rebalance", "kill"),
)
MORE_FAULTS: Final = (*FAULTS, "deliver", "append", "replace", "freeze")
"""A worker that was frozen goes on when another one has its partition: it may tell as lost what the
other one stored."""

REPLACED: Final = (
    *("deliver", "deliver", "deliver", "deliver", "turns", "turns", "wait", "wait"),
    *("append", "append", "deny", "commit", "rebalance", "replace"),
)
"""One worker reads all the time: it knows what was unread of each topic that is replaced."""


@pytest.mark.parametrize("faults", [FAULTS, MORE_FAULTS, REPLACED])
@pytest.mark.parametrize("seed", range(40))
async def test_each_offset_is_stored_or_told_as_lost(seed: int, faults: Sequence[str]) -> None:
    await Play(seed, faults).run()


async def test_ids_of_topics_are_read_again_after_an_assignment() -> None:
    broker, database = Broker(Random(1)), Database()
    worker = Worker(broker, database)
    worker.client.topic_ids["orders"] = UUID(int=1)
    worker.client.ids_read_at = time.monotonic()
    # Another member noticed that the topic was made again, and read four records.
    broker.replace()
    broker.end, broker.committed, database.known = 5, 4, (4, UUID(int=2))
    try:
        async with asyncio.timeout(20):
            await worker.read_until((2, 4))
    finally:
        await worker.end()
    assert database.known == (5, UUID(int=2))
    assert database.replaced == {}
    assert database.stored == {(2, 4)}, "what was handled is not read again"
