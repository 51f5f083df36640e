"""aiokafka's fetcher, modified so that nothing it can't hand over ends or blinds the worker.

aiokafka raises from the middle of a fetch: what it had of other partitions is lost, and the same
batch is fetched again after each restart. Here each partition fails by itself:

- a batch that can't be decoded holds its partition, which is fetched again every
  ``HOLD_SECONDS``; the reason is in ``held``, and nothing is skipped (``records``);
- a position that is not in the log becomes a ``Gap``, in order with the records after it;
- a topic that was deleted and made again is noticed by its id, and read from its beginning;
- a partition without room in its lane is not fetched while enough waits (``prefetch``).

Everything runs in the thread of the Kafka client. Other threads read ``held``, take ``gaps``, and
call ``answer``.

Overridden, and compared with the aiokafka release by tests/worker/test_transport.py:
``Fetcher._proc_fetch_request``, ``_update_fetch_positions``, ``_get_actions_per_node``,
``fetched_records``, ``seek_to`` and ``_set_error``.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, Self
from uuid import UUID
from weakref import WeakSet

import structlog
from aiokafka import errors
from aiokafka.consumer import consumer as client
from aiokafka.consumer import fetcher
from aiokafka.structs import TopicPartition

from streams.store.gaps import FormerLog, Gap, GapReason, LogOpened, Reread
from streams.worker import prefetch
from streams.worker.brokers import Client
from streams.worker.fetch_sessions import SessionClient
from streams.worker.records import Records, place

log = structlog.get_logger(__name__)

HOLD_SECONDS: Final = 5.0
"""Pause before a partition that is held is fetched again."""
_OUT_OF_RANGE: Final = errors.OffsetOutOfRangeError.errno
_ANOTHER_TOPIC: Final = frozenset(
    {
        _OUT_OF_RANGE,
        errors.UnknownTopicOrPartitionError.errno,
        errors.NotLeaderForPartitionError.errno,
    }
)
"""Codes after which a topic may be another one of the same name."""


class Held(NamedTuple):
    """Why a partition is not read at present."""

    reason: str
    """The type of the error; its message could quote a record."""
    offset: int
    """The first offset that is not read."""
    until: float
    """When it is fetched again, on the monotonic clock."""


class Consumer(client.AIOKafkaConsumer):  # type: ignore[misc] # it has no types
    """aiokafka's consumer with our fetcher."""

    @classmethod
    def of(cls, made: Any) -> Self:
        """Return a consumer that was not started yet as one of ours."""
        made.__class__ = cls
        Client.of(made._client)
        ours: Self = made
        return ours

    async def start(self) -> None:
        """Start with our fetcher. aiokafka names its own in the middle of the method."""
        original = client.Fetcher
        client.Fetcher = LaneFetcher
        try:
            await super().start()
        finally:
            client.Fetcher = original


class _Anew(NamedTuple):
    """How a partition is to be read anew; see ``LogOpened``."""

    offset: int
    """The offset to begin at. If it is not in the log, what lies before the log is told as lost."""
    gap: Gap | None = None


class LaneFetcher(fetcher.Fetcher):  # type: ignore[misc] # it has no types
    """A fetcher whose partitions fail one by one."""

    def __init__(self, client: Any, *args: Any, **kwargs: Any) -> None:
        self.held: dict[TopicPartition, Held] = {}
        self.gaps: deque[Gap | LogOpened] = deque()
        """What was lost and where reading begins, in order."""
        self.opening: dict[TopicPartition, LogOpened] = {}
        """Partitions that are fetched once the intake has compared where reading begins."""
        self._replies: deque[tuple[LogOpened, Reread | None]] = deque()
        self.settling: set[TopicPartition] = set()
        """Partitions whose next position is being sought; a gap before it may follow."""
        self._lost_at: dict[TopicPartition, int] = {}
        """The offset of each partition that is not in its log, until it is known why."""
        self._moved: set[TopicPartition] = set()
        """Partitions that were moved to another offset; what lies before is compared again."""
        self._logs: dict[TopicPartition, UUID | None] = {}
        """The id of the topic in whose log each position is."""
        self._doubted: dict[str, float] = {}
        """Topics that may be others of the same name, each with the time of the doubt."""
        self._compared_at = -math.inf
        """When the ids were read with which the logs were last compared."""
        self._anew: dict[TopicPartition, _Anew] = {}
        """Partitions that are to be read from another position."""
        self._assignment: Any = None
        self._former: dict[TopicPartition, FormerLog] = {}
        """What was last seen of each partition, for the case that its topic is replaced."""
        self.discarded: dict[TopicPartition, int] = {}
        """The first offset of each partition that was read and discarded for a rebalance."""
        self._moved_past: dict[TopicPartition, int] = {}
        """Where the group stood on partitions that are read from an earlier offset."""
        self.deferred: frozenset[TopicPartition] = frozenset()
        """Partitions not fetched until they have room, or less waits; replaced as a whole."""
        self._unread: WeakSet[Records] = WeakSet()
        """Records that were fetched for this assignment, and are not read to their end."""
        self._with_room: frozenset[TopicPartition] = frozenset()
        """Partitions that the consumer can take records of."""
        super().__init__(SessionClient(client), *args, **kwargs)

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> Any:
        needs_wakeup = await super()._proc_fetch_request(assignment, node_id, request)
        kept = self._client.answers.pop(id(request), None)
        if kept is None:
            return needs_wakeup
        answer, asked = kept
        silent = set(asked)
        for topic, partitions in answer.topics:
            for number, code, _, *rest in partitions:
                tp = TopicPartition(topic, number)
                silent.discard(tp)
                state = assignment.state_value(tp) if assignment.active else None
                if code in _ANOTHER_TOPIC:
                    self._doubted[topic] = time.monotonic()
                if code == _OUT_OF_RANGE and state is not None and state.awaiting_reset:
                    self._lost_at[tp] = asked[tp][0]
                found = self._records.get(tp)
                if code == 0 and found is None:
                    self.release(tp)
                if type(found) is not fetcher.FetchResult:
                    continue
                if type(found._partition_records) is fetcher.PartitionRecords:
                    ours = Records.of(found._partition_records, self, bytes(rest[-1]))
                    found._partition_records = ours
                    self._unread.add(ours)
        if assignment.active:  # a session leaves out the partitions without any news
            now_ms = int(1000 * time.time())
            for tp in silent:
                assignment.state_value(tp).timestamp = now_ms
        return needs_wakeup

    async def _update_fetch_positions(self, assignment: Any, node_id: int, tps: Any) -> Any:
        self.settling.update(tps)
        try:
            needs_wakeup = await super()._update_fetch_positions(assignment, node_id, tps)
            for tp in tps:
                state = assignment.state_value(tp) if assignment.active else None
                if state is not None and state.has_valid_position:
                    await self._note_position(tp, state, node_id)
        except asyncio.CancelledError:
            # As in the method extended: the client's shutdown awaits the task that it cancelled.
            return False
        finally:
            self.settling.difference_update(tps)
        return needs_wakeup

    async def _note_position(self, tp: TopicPartition, state: Any, node_id: int) -> None:
        """Note what lies before a new position. No fetch from this broker happens meanwhile."""
        first, expected = state.position, self._lost_at.pop(tp, None)
        if tp in self._anew:  # it is read from another offset
            return
        if expected is None:
            self._open(tp, state)
        elif first > expected:
            self.gaps.append(Gap(place(tp, expected), first, GapReason.DELETED))
        else:
            end = await self._end_of_log(tp, state, node_id)
            if end is None or not _stands_at(state, first):
                self._lost_at[tp] = expected
                return
            lost = Gap(place(tp, end), expected, GapReason.TRUNCATED) if end < expected else None
            self._open(tp, state, _Anew(first, lost))

    async def _end_of_log(self, tp: TopicPartition, state: Any, node_id: int) -> int | None:
        """Return the offset after the last one of a log; None to seek the position again."""
        try:
            asked = {tp.topic: [(tp.partition, fetcher.OffsetResetStrategy.LATEST)]}
            offset, _ = (await self._proc_offset_request(node_id, asked))[tp]
        except errors.KafkaError:
            state.await_reset(fetcher.OffsetResetStrategy.EARLIEST)
            return None
        return int(offset)

    def _open(self, tp: TopicPartition, state: Any, anew: _Anew | None = None) -> None:
        """Note that reading begins at the present position."""
        at, topic_id = place(tp, state.position), self._client.topic_ids.get(tp.topic)
        former = self._former.get(tp)
        if former is not None and former.topic_id == topic_id:
            former = None
        gap = None if anew is None else anew.gap
        opened = LogOpened(at, topic_id, anew is not None, gap, former)
        state.lso = None  # it may be of a former topic
        # In this order: another thread takes no position that is not compared yet.
        self.opening[tp] = opened
        self._logs[tp] = topic_id
        self.gaps.append(opened)
        self._moved.discard(tp)
        self.settling.discard(tp)

    def _get_actions_per_node(self, assignment: Any) -> Any:
        now = time.monotonic()
        assigned = list(assignment.tps)
        for tp in list(self.held):
            if tp not in assigned:
                del self.held[tp]
        if assignment is not self._assignment:
            self._forget(self._assignment)
            self._assignment = assignment
            self._forget_others(assigned)
            # Another member may have read them under other ids since ours were read.
            self._doubted |= {tp.topic: now for tp in assigned}
        self._settle_doubts()
        self._take_replies()
        ids_are_new = self._compared_at != self._client.ids_read_at
        self._compared_at = self._client.ids_read_at
        wanted = []
        for tp in assigned if self._client.topic_ids_known else ():
            if tp.topic in self._doubted:
                continue
            state = assignment.state_value(tp)
            if ids_are_new:
                self._compare_topic(tp, state)
            if tp in self._anew:
                if tp in self._records:  # what was fetched before is read first
                    continue
                self._begin_anew(tp, state)
            elif state.has_valid_position and (tp in self._moved or tp not in self._logs):
                self._open(tp, state)
            # Whoever had the position sought waits for it, and takes no gaps before.
            if tp in self.opening and not state.awaiting_reset:
                continue
            if tp not in self.held or self.held[tp].until <= now:
                wanted.append(tp)
        self.deferred = self._defer(wanted, assignment)
        return super()._get_actions_per_node(
            SimpleNamespace(
                tps=[tp for tp in wanted if tp not in self.deferred],
                state_value=assignment.state_value,
            )
        )

    def _defer(self, wanted: list[TopicPartition], assignment: Any) -> frozenset[TopicPartition]:
        """Return the partitions not to fetch now; those whose position is to be sought need it."""
        waiting = sum(
            found._partition_records.size
            for found in self._records.values()
            if isinstance(getattr(found, "_partition_records", None), Records)
        )
        if waiting < prefetch.MOST_BYTES:
            return frozenset()
        return frozenset(
            tp
            for tp in wanted
            if tp not in self._with_room
            and tp not in self._records
            and assignment.state_value(tp).has_valid_position
        )

    async def fetched_records(self, partitions: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what waits of these partitions, which have room, and have them fetched."""
        self._with_room = frozenset(partitions)
        if not self.deferred.isdisjoint(self._with_room):
            self._notify(self._wait_consume_future)
        return await super().fetched_records(partitions, *args, **kwargs)

    def _settle_doubts(self) -> None:
        """Forget the doubts that are older than the ids of topics; else have the ids read."""
        for topic, since in list(self._doubted.items()):
            if self._client.ids_read_at > since:
                del self._doubted[topic]
        if self._doubted or not self._client.topic_ids_known:
            self._client.force_metadata_update().add_done_callback(self._go_on)

    def _go_on(self, _: asyncio.Future[Any]) -> None:
        """Look again at once if ids were read."""
        if self._compared_at != self._client.ids_read_at:
            self._notify(self._wait_consume_future)

    def _forget(self, former: Any) -> None:
        """Forget where partitions were read from, but how far those of the former assignment were.

        A topic that is deleted is no longer assigned until it is made again.
        """
        for records in self._unread:  # nobody reads them any more
            records.end()
        self._unread.clear()
        for tp in self._logs:
            self._remember(tp, former.state_value(tp))
        self.discarded.clear()
        for known in (self._logs, self._anew, self._moved_past, self._lost_at, self.opening):
            known.clear()
        self._moved.clear()
        kept = [item for item in self.take_gaps() if isinstance(item, Gap)]
        self.gaps.extend(kept)

    def _remember(self, tp: TopicPartition, state: Any) -> None:
        """Note how far a log was read.

        Of a log that was not fetched yet nothing is known: what is known of the one before stays.
        So it does if the id is noticed late, when records of the new topic were read by the former
        id.
        """
        topic_id = self._logs[tp]
        # Its position is not of this topic, or past what was not read, or not compared yet.
        if topic_id is None or tp in self._anew or tp in self.opening:
            return
        position = state.position if state.has_valid_position else self._lost_at.get(tp)
        if position is None or state.lso is None:
            return
        until, end = min(position, self.discarded.get(tp, position)), state.lso
        earlier = self._former.get(tp)
        if earlier is not None and earlier.topic_id == topic_id:
            until, end = max(until, earlier.read_until), max(end, earlier.end)
        self._former[tp] = FormerLog(topic_id, until, end)

    def _forget_others(self, assigned: Collection[TopicPartition]) -> None:
        """Forget what was seen of partitions that another member reads now."""
        for tp in list(self._former):
            if tp not in assigned and self._client.cluster.partitions_for_topic(tp.topic):
                del self._former[tp]

    def seek_to(self, tp: TopicPartition, offset: int) -> None:
        """Go to an offset. It is fetched once the intake has compared it with what was handled."""
        state = self._subscriptions.subscription.assignment.state_value(tp)
        if not _stands_at(state, offset):
            self._moved.add(tp)
            self.settling.add(tp)
        self._lost_at.pop(tp, None)
        super().seek_to(tp, offset)

    def is_open(self, tp: tuple[str, int]) -> bool:
        """Whether a partition is fetched."""
        return tp in self._logs and tp not in self.opening

    def take_gaps(self) -> list[Gap | LogOpened]:
        """Remove and return ``gaps``."""
        taken: list[Gap | LogOpened] = []
        with suppress(IndexError):  # another thread may take some too
            while True:
                taken.append(self.gaps.popleft())
        return taken

    def _compare_topic(self, tp: TopicPartition, state: Any) -> None:
        """Plan to read a partition anew if its topic is another one than before."""
        before, now = self._logs.get(tp), self._client.topic_ids.get(tp.topic)
        if before is None or now is None or before == now or tp in self._anew:
            return
        log.error("topic_replaced", topic=tp.topic, partition=tp.partition)
        self._remember(tp, state)
        self._lost_at.pop(tp, None)
        self._anew[tp] = _Anew(0)
        self._logs[tp] = now
        self.settling.add(tp)

    def answer(self, opened: LogOpened, reread: Reread | None) -> None:
        """Fetch a partition from where reading begins, or from another offset. Thread-safe."""
        self._replies.append((opened, reread))
        self._loop.call_soon_threadsafe(self._notify, self._wait_consume_future)

    def _take_replies(self) -> None:
        while self._replies:
            opened, asked = self._replies.popleft()
            tp = TopicPartition(opened.position.topic, opened.position.partition)
            if self.opening.get(tp) is not opened:  # of an earlier assignment
                continue
            if asked is None or tp in self._anew:
                del self.opening[tp]
                continue
            self.settling.add(tp)  # before it is open: another thread reads both
            del self.opening[tp]
            if asked.moved_to is not None:
                self._moved_past[tp] = asked.moved_to
            log.warning("partition_reread", topic=tp.topic, partition=tp.partition,
                        offset=asked.offset)  # fmt: skip
            self._anew[tp] = _Anew(asked.offset, opened.gap)

    def _begin_anew(self, tp: TopicPartition, state: Any) -> None:
        """Go to the offset from which a partition is read anew."""
        anew = self._anew.pop(tp)
        state.seek(anew.offset)
        self._open(tp, state, anew)

    def _set_error(self, tp: TopicPartition, error: Exception) -> None:
        position = self._subscriptions.subscription.assignment.state_value(tp).position
        self.hold(tp, type(error).__name__, position)

    def hold(self, tp: TopicPartition, reason: str, offset: int) -> None:
        """Stop reading a partition for ``HOLD_SECONDS``."""
        known = self.held.get(tp)
        self.held[tp] = Held(reason, offset, time.monotonic() + HOLD_SECONDS)
        if known is None or known.reason != reason:
            log.error("partition_held", topic=tp.topic, partition=tp.partition, offset=offset,
                      error=reason)  # fmt: skip

    def skip(self, tp: TopicPartition, offset: int) -> int | None:
        """Return the offset to go on at, if somebody moved the group past what can't be read."""
        beyond = self._moved_past.pop(tp, offset)
        if beyond <= offset:
            return None
        self.gaps.append(Gap(place(tp, offset), beyond, GapReason.SKIPPED))
        return beyond

    def release(self, tp: TopicPartition) -> None:
        """Note that a partition can be read again."""
        if self.held.pop(tp, None) is not None:
            log.info("partition_read_again", topic=tp.topic, partition=tp.partition)


def _stands_at(state: Any, offset: int) -> bool:
    """Whether the next offset to read is this one; it is none while it is sought."""
    return bool(state.has_valid_position and state.position == offset)
