"""Faust's Kafka transport, modified to deliver batches instead of single records.

Faust delivers records to its streams one by one, which costs more than our own work on a record. It
commits acknowledged offsets, and gaps between them have lost messages (docs/decisions/0008). Here
the fetcher puts the fetched lists into lanes, and Faust commits exactly the offsets that the lanes
report as committed in the database. Membership, assignment, rebalancing, flow control, the commit
interval and the shutdown remain Faust's.

Overridden methods; tests/worker/test_transport.py compares them with the Faust release:

- ``AIOKafkaConsumerThread._create_worker_consumer``: sets three arguments that Faust hard-codes,
  and makes it a consumer whose fetcher is ours (``fetching``);
- ``AIOKafkaConsumerThread.on_start``: waits while no broker answers, where Faust would crash;
- ``AIOKafkaConsumerThread.on_thread_stop``: limits how long stopping the client may take;
- ``AIOKafkaConsumerThread.seek_to_committed``: seeks to the beginning without a committed offset;
- ``Consumer._drain_messages``: the fetch loop;
- ``Consumer._filter_tps_with_pending_acks`` and ``_new_offset``: the offsets to commit;
- ``Consumer._commit_offsets``: has a crash point for tests;
- ``Consumer.on_partitions_revoked``: finishes batches in flight before releasing partitions;
- ``Consumer.verify_event_path``: would report that our streams receive nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

import structlog
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.intake.record import Record
from streams.runtime import crash
from streams.store.events import Position
from streams.store.gaps import Gap, LogOpened, Reread
from streams.worker import prefetch
from streams.worker.credentials import read_secret_anew
from streams.worker.fetching import Consumer as TolerantConsumer
from streams.worker.fetching import Held, LaneFetcher
from streams.worker.lanes import Item, Lanes

log = structlog.get_logger(__name__)

_PAUSE: Final = 1.0
"""Seconds between two attempts to reach the brokers at the start."""
_STOP_SECONDS: Final = 8.0
"""Seconds for the client to stop: batches were finished and offsets committed before."""
_LEAVE_SECONDS: Final = 2.0
_OPENING_PATIENCE: Final = 0.02
"""Seconds to wait for records while partitions are not fetched yet: what is noted about them must
reach the intake first."""
_BUSY_PAUSE: Final = 0.01
"""Seconds between two fetches at most while every lane has enough to do: each fetch names all
partitions, and the client's thread takes the interpreter's lock from the lanes for it."""
_HEARTBEAT_ONLY: Final = TP("", 0)
"""A partition that does not exist: fetching it keeps the membership alive and returns nothing."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread of the Kafka client, with our fetch limits, assignor and first position."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Read when the consumer starts. Faust hard-codes 1500 ms. A real broker answers as soon as
        # it has a record, but the embedded broker always waits that long.
        consumer._fetch_max_wait_ms = cast(Any, self.app).fetch_max_wait_ms
        consumer._fetch_max_bytes = prefetch.MOST_BYTES_OF_ANSWER
        # Faust assigns round-robin for apps without tables. The range assignor gives one worker the
        # same partition number of all topics, so two workers never wait for the lock of one case.
        consumer._partition_assignment_strategy = [RangePartitionAssignor]
        # Records of a transaction that is open or was aborted are no facts.
        consumer._isolation_level = "read_committed"
        read_secret_anew(consumer._client, cast(Any, self.app).kafka)
        return TolerantConsumer.of(consumer)

    async def on_start(self) -> None:
        """Connect to Kafka; while no broker answers, try again until the worker is stopped.

        Raises:
            KafkaError: the brokers answer and can't serve us, which no wait changes.
        """
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            while not stopped.done():
                connecting = asyncio.ensure_future(super().on_start())
                await asyncio.wait({connecting, stopped}, return_when=asyncio.FIRST_COMPLETED)
                connecting.cancel()
                try:
                    await connecting
                    return
                except asyncio.CancelledError:
                    return
                except Exception as error:
                    if not _is_away(error):
                        raise
                    log.warning("broker_away", error=type(error).__name__)
                    await cast(Any, self._consumer).stop()
                await asyncio.wait({stopped}, timeout=_PAUSE)
        finally:
            stopped.cancel()

    async def on_thread_stop(self) -> None:
        """Stop the client; after a time limit, leave the group without waiting any longer.

        aiokafka lets a rebalance that has begun end first. That may wait for Faust's callbacks in
        the main thread, which may wait for this thread.
        """
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await super().on_thread_stop()
        except TimeoutError:
            log.warning("client_stop_cut_short", seconds=_STOP_SECONDS)
            coordinator = getattr(self._consumer, "_coordinator", None)
            with suppress(TimeoutError, KafkaError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    if coordinator is not None:
                        await coordinator.maybe_leave_group()

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek to the committed offsets, and to the beginning of partitions without one.

        aiokafka does not move a partition without a committed offset. Its position may be past the
        records of a fetch that a rebalance discarded, and these records would be lost.
        """
        committed: Mapping[TP, int] = await self.call_thread(self._seek_back)
        return committed

    async def _seek_back(self) -> Any:
        consumer = self._ensure_consumer()
        committed = await consumer.seek_to_committed()
        # No await before the seek: seeking in a partition that a rebalance took away is an error.
        assigned = consumer.assignment()
        if uncommitted := [tp for tp, offset in committed.items() if not offset and tp in assigned]:
            await consumer.seek_to_beginning(*uncommitted)
        return committed


class LaneConsumer(driver.Consumer):
    """Delivers fetched lists of records into lanes; fetches discarded records again."""

    _lost_place = False

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _commit_offsets(
        self, offsets: Mapping[TP, int], start_new_transaction: bool = True
    ) -> bool:
        crash.point("before_ack")
        committed: bool = await super()._commit_offsets(offsets, start_new_transaction)
        return committed

    @property
    def lanes(self) -> Lanes:
        """Where the records go."""
        return cast(Lanes, cast(Any, self.app).lanes)

    async def _drain_messages(self, fetcher: Any) -> None:
        lanes = self.lanes
        # A cancelled fetcher may have discarded records that the client counts as read.
        self._lost_place = bool(self._read_offset)
        while not (self.should_stop or fetcher.should_stop):
            if not self.flow_active:
                await self.wait(cast(Any, self.can_resume_flow))
                continue
            if self._lost_place:
                await self.perform_seek()
                self._lost_place = False
            active = self._get_active_partitions()
            wanted = {tp for tp in active if lanes.has_room(tp)}
            patient = 0 < len(wanted) == len(active)
            opened = Reader(self._thread).are_open(active)
            patience = (1.0 if opened else _OPENING_PATIENCE) if patient else 0.0
            generation = self.app.consumer_generation_id
            try:
                fetched = await self._getmany(wanted or {_HEARTBEAT_ONLY}, patience)
            except self.consumer_stopped_errors:
                if self.app.should_stop:
                    return
                raise
            if not self.flow_active or generation != self.app.consumer_generation_id:
                # Fetched for an earlier assignment: discard, and seek to the committed offsets.
                self._lost_place = True
                continue
            self._deliver(fetched, active)
            if not fetched and not patient:
                await lanes.room(0.02 if wanted else 1.0)
            elif lanes.all_busy():
                await lanes.room(_BUSY_PAUSE)

    def _deliver(self, fetched: Mapping[TP, Iterable[Any]], active: Iterable[TP]) -> None:
        """Put what was fetched into the lanes, with the gaps before it, and skip what is no record.

        Must not wait: a rebalance would discard what is queued, and skipping would lose it.
        """
        reader = Reader(self._thread)
        # Positions before gaps: a position that a gap explains is not passed without the gap.
        positions = reader.positions(active)
        items: dict[TP, list[Item]] = {}
        opened: dict[TP, list[Item]] = {}
        for gap in reader.take_gaps():
            tp = TP(gap.position.topic, gap.position.partition)
            if isinstance(gap, Gap):
                items.setdefault(tp, []).append(gap)
            else:
                opened.setdefault(tp, []).append(gap)
        for tp, records in fetched.items():
            found: list[Item] = [_record(record) for record in records]
            if tp in items:
                found = sorted(items[tp] + found, key=lambda item: item.position.offset)
            items[tp] = found
        # What was fetched is from before: nothing is fetched until the intake has answered.
        for tp, last in opened.items():
            items[tp] = [*items.get(tp, ()), *last]
            self._committed_offset.pop(tp, None)  # the next offset to commit may be a lower one
        for tp, ordered in items.items():
            self.lanes.put((tp.topic, tp.partition), ordered)
        for tp, position in positions.items():
            self.lanes.skip_to((tp.topic, tp.partition), position)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (
            TP(*partition)
            for partition in list(self.lanes.done)
            if topics is None or partition in topics or partition[0] in topics
        )

    def _new_offset(self, tp: TP) -> int | None:
        return self.lanes.done.get((tp.topic, tp.partition))

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Discard queued records, wait for batches in flight, commit their offsets, then release.

        Waits half a session timeout at most. Kafka delivers again what is not finished by then.
        """
        self.stop_flow()
        patience = self.app.conf.broker_session_timeout / 2
        Reader(self._thread).discard(self.lanes.queued())
        if not await self.lanes.settle(patience):
            self.log.warning("Partitions released with a batch in flight; it will be redelivered")
        await self.commit()
        self.lanes.forget()
        await super().on_partitions_revoked(revoked)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust would report our streams, which receive nothing by design, as stuck."""


def _is_away(error: Exception) -> bool:
    """Whether a broker may answer later: none was reached, or one is not ready yet."""
    return isinstance(error, OSError) or (isinstance(error, KafkaError) and error.retriable)


def _record(record: Any) -> Record:
    position = Position(record.topic, record.partition, record.offset)
    return Record(position, record.key, record.value, record.headers, record.timestamp)


class Reader:
    """What the client's thread knows about the partitions that it reads.

    Neither Faust nor aiokafka has a public API for these values, so their private fields are read
    here and in ``Membership``, and in no other module. Other threads may call all of it.
    """

    def __init__(self, thread: Any) -> None:
        self._client = getattr(thread, "_consumer", None)

    @property
    def _fetcher(self) -> LaneFetcher | None:
        return getattr(self._client, "_fetcher", None)

    def held(self) -> dict[TP, Held]:
        """Return the partitions that can't be read at present."""
        fetcher = self._fetcher
        return {} if fetcher is None else {TP(*tp): held for tp, held in fetcher.held.items()}

    def take_gaps(self) -> list[Gap | LogOpened]:
        """Return the gaps, and the beginnings of reading, noted since the last call."""
        fetcher = self._fetcher
        return [] if fetcher is None else fetcher.take_gaps()

    def discard(self, queued: Mapping[tuple[str, int], int]) -> None:
        """Note that records from these offsets on were read and are discarded."""
        if self._fetcher is not None:
            for partition, offset in queued.items():
                self._fetcher.discarded[TopicPartition(*partition)] = offset

    def answer(self, opened: LogOpened, reread: Reread | None) -> None:
        """Fetch a partition from where reading begins, or from another offset."""
        if self._fetcher is not None:
            self._fetcher.answer(opened, reread)

    def are_open(self, tps: Iterable[TP]) -> bool:
        """Whether all of these partitions are fetched."""
        fetcher = self._fetcher
        return fetcher is None or all(map(fetcher.is_open, tps))

    def positions(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Return the next offset to read of each of these partitions.

        None while it is sought, and while the intake compares it with what was handled.
        """
        states, fetcher = self._states(), self._fetcher
        found: dict[TP, int] = {}
        if fetcher is None:
            return found
        for tp in tps:
            state = states.get(tp)
            # Before the partition is settled: the thread that settles it has set the position then.
            position = None if state is None else state._position
            if position is not None and fetcher.is_open(tp) and tp not in fetcher.settling:
                found[tp] = position
        return found

    def ahead(self, tp: TP) -> int:
        """Return how many offsets a reader of committed records has not read yet."""
        state = self._states().get(tp)
        if state is None or state.lso is None or state._position is None:
            return 0
        ahead: int = state.lso - state._position
        return max(0, ahead)

    def is_fetched(self, tp: TP, patience: float) -> bool:
        """Whether a partition is read: its broker answered lately, or what was fetched waits."""
        state, fetcher = self._states().get(tp), self._fetcher
        if state is None or fetcher is None or tp in fetcher.held:
            return False
        recent = state.timestamp is not None and time.time() - state.timestamp / 1000 < patience
        return recent or tp in fetcher._records or tp in fetcher.deferred

    def _states(self) -> Mapping[TP, Any]:
        """Return what the client knows about each assigned partition.

        Its keys are of aiokafka's type, which is the same named tuple as Faust's, and equal to it.
        """
        subscription = getattr(self._client, "_subscription", None)
        assignment = getattr(getattr(subscription, "subscription", None), "assignment", None)
        return {} if assignment is None else cast("Mapping[TP, Any]", assignment._tp_state)


class Membership:
    """The app's membership in its consumer group; see ``health.GroupMember``."""

    def __init__(self, app: Any, topics: Sequence[str]) -> None:
        """``topics`` are the input topics."""
        self._app = app
        self._topics = topics

    def partitions_assigned(self) -> int:
        """Return how many input partitions are assigned."""
        return len(self._assigned())

    def partitions_fetched(self, patience: float) -> int:
        """Return how many of them are read: their broker answered within ``patience`` seconds."""
        reader = self._reader()
        return sum(reader.is_fetched(tp, patience) for tp in self._assigned())

    def partitions_expected(self) -> int:
        """Return how many partitions the input topics have, for all members of the group."""
        client = getattr(getattr(self._consumer, "_thread", None), "_consumer", None)
        cluster = getattr(getattr(client, "_client", None), "cluster", None)
        if cluster is None:
            return 0
        return sum(len(cluster.partitions_for_topic(topic) or ()) for topic in self._topics)

    def partitions_held(self) -> dict[str, str]:
        """Return the partitions that can't be read, each with the reason and the offset."""
        held, assigned = self._reader().held(), self._assigned()
        return {
            f"{tp.topic}[{tp.partition}]": f"{why.reason} at {why.offset}"
            for tp, why in sorted(held.items())
            if tp in assigned
        }

    def records_behind(self) -> int:
        """Return how many records of the assigned partitions can be read and are not done.

        Records of a transaction that is open can't; those of a partition that is held neither.
        """
        reader, lanes = self._reader(), self._app.lanes
        held = reader.held()
        behind = 0
        for tp in self._assigned():
            behind += 0 if tp in held else reader.ahead(tp)
            behind += 0 if lanes is None else lanes.unfinished((tp.topic, tp.partition))
        return behind

    def coordinator_known(self) -> bool:
        """Whether the group's coordinator is known; not while the brokers are away or move it."""
        client = getattr(getattr(self._consumer, "_thread", None), "_consumer", None)
        coordinator = getattr(client, "_coordinator", None)  # None until the consumer has started
        return coordinator is not None and coordinator.coordinator_id is not None

    async def take_refusal(self) -> Exception | None:
        """Return the error at which the client stopped, and have it go on; None if it did not.

        Raises:
            KafkaError: the client has given up the membership.
        """
        thread: Any = getattr(self._consumer, "_thread", None)
        coordinator: Any = getattr(getattr(thread, "_consumer", None), "_coordinator", None)
        if coordinator is None:  # until the consumer has started
            return None

        async def take() -> Exception | None:
            try:
                coordinator.check_errors()
            except KafkaError as error:
                if coordinator._coordination_task.done():
                    raise
                refusal: Exception = error
                return refusal
            return None

        in_thread = asyncio.run_coroutine_threadsafe(take(), thread.thread_loop)
        return await asyncio.wrap_future(in_thread)

    def answer(self, opened: LogOpened, reread: Reread | None) -> None:
        """Fetch a partition from where reading begins, or from another offset."""
        self._reader().answer(opened, reread)

    def rebalancing(self) -> bool:
        """Whether the group is being rebalanced."""
        return bool(self._app.rebalancing)

    def _reader(self) -> Reader:
        return Reader(getattr(self._consumer, "_thread", None))

    @property
    def _consumer(self) -> Any:
        return self._app._consumer  # the public property would create one

    def _assigned(self) -> set[TP]:
        consumer = self._consumer
        return set() if consumer is None else set(consumer._active_partitions or ())


class LaneTransport(driver.Transport):
    """Kafka with delivery into the app's lanes; agents subscribe to topics and receive nothing."""

    Consumer = LaneConsumer
