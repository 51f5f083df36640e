"""aiokafka's fetcher, modified so that nothing it can't hand over ends or blinds the worker.

aiokafka raises from the middle of a fetch: what it had of other partitions is lost, and the same
batch is fetched again after each restart. Here each partition fails by itself:

- records that aiokafka can't decode are decoded here, with the bytes of header names kept;
- a batch that can't be decoded at all holds its partition, which is fetched again every
  ``HOLD_SECONDS``; the reason is in ``held``, and nothing is skipped;
- a position that is not in the log becomes a ``Gap``, in order with the records after it.

Everything runs in the thread of the Kafka client. Other threads read ``held`` and take ``gaps``.

Overridden methods; tests/worker/test_transport.py compares them with the aiokafka release:

- ``AIOKafkaClient._metadata_update``;
- ``PartitionRecords._unpack_records``;
- ``Fetcher._proc_fetch_request``, ``_update_fetch_positions``, ``_get_actions_per_node`` and
  ``_set_error``.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, Self

import structlog
from aiokafka import errors
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer import consumer as client
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.util import decode_varint
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.store.events import Position
from streams.store.gaps import Gap, GapReason

log = structlog.get_logger(__name__)

_BROKERS_SECONDS: Final = 10.0
"""How long the known brokers may take to answer before the bootstrap servers are asked."""
HOLD_SECONDS: Final = 5.0
"""Pause before a partition that is held is fetched again."""
_OUT_OF_RANGE: Final = errors.OffsetOutOfRangeError.errno


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
        made._client.__class__ = Client
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


class Client(AIOKafkaClient):  # type: ignore[misc] # it has no types
    """aiokafka's client, which asks the bootstrap servers again when no known broker answers.

    Brokers may come back under other addresses. aiokafka asks only those that it knows.
    """

    async def _metadata_update(self, cluster_metadata: Any, topics: Any) -> bool:
        updated = False
        with suppress(TimeoutError):
            async with asyncio.timeout(_BROKERS_SECONDS):
                updated = await super()._metadata_update(cluster_metadata, topics)
        if not updated and await self._find_brokers():
            updated = await super()._metadata_update(cluster_metadata, topics)
        return updated

    async def _find_brokers(self) -> bool:
        """Resolve the bootstrap servers, and take the brokers' addresses from one that answers."""
        asking = copy(self)
        asking.cluster = ClusterMetadata(metadata_max_age_ms=self._metadata_max_age_ms)
        asking._conns = {}
        asking._sync_task = self._sync_task  # so that it starts none
        try:
            await asking.bootstrap()
        except errors.KafkaError:
            return False
        for connection in asking._conns.values():
            connection.close()
        # Its partitions stay: without them the group would be rebalanced.
        self.cluster._brokers = asking.cluster._brokers
        return bool(self.cluster._brokers)


class LaneFetcher(fetcher.Fetcher):  # type: ignore[misc] # it has no types
    """A fetcher whose partitions fail one by one."""

    def __init__(self, client: Any, *args: Any, **kwargs: Any) -> None:
        self.held: dict[TopicPartition, Held] = {}
        self.gaps: deque[Gap] = deque()
        self.settling: set[TopicPartition] = set()
        """Partitions whose first position is being sought; a gap before it may follow."""
        self._lost_at: dict[TopicPartition, int] = {}
        super().__init__(_Answers(client), *args, **kwargs)

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> Any:
        needs_wakeup = await super()._proc_fetch_request(assignment, node_id, request)
        answer = self._client.answers.pop(id(request), None)
        asked = {
            TopicPartition(topic, number): offset
            for topic, partitions in request.topics
            for number, offset, _ in partitions
        }
        for topic, partitions in answer.topics if answer is not None else ():
            for number, code, _, *rest in partitions:
                tp = TopicPartition(topic, number)
                state = assignment.state_value(tp) if assignment.active else None
                if code == _OUT_OF_RANGE and state is not None and state.awaiting_reset:
                    self._lost_at[tp] = asked[tp]
                found = self._records.get(tp)
                if code == 0 and found is None:
                    self.release(tp)
                if type(found) is not fetcher.FetchResult:
                    continue
                if type(found._partition_records) is fetcher.PartitionRecords:
                    found._partition_records = _Records.of(
                        found._partition_records, self, bytes(rest[-1])
                    )
        return needs_wakeup

    async def _update_fetch_positions(self, assignment: Any, node_id: int, tps: Any) -> Any:
        self.settling.update(tps)
        try:
            needs_wakeup = await super()._update_fetch_positions(assignment, node_id, tps)
            for tp in tps:
                state = assignment.state_value(tp) if assignment.active else None
                if state is not None and state.has_valid_position and state.position:
                    await self._note_gap(tp, state)
        except asyncio.CancelledError:
            # As in the method extended: the client's shutdown awaits the task that it cancelled.
            return False
        finally:
            self.settling.difference_update(tps)
        return needs_wakeup

    async def _note_gap(self, tp: TopicPartition, state: Any) -> None:
        """Note a gap before the first position. No fetch from this broker happens meanwhile."""
        first, expected = state.position, self._lost_at.pop(tp, None)
        if expected is None:
            if (await state.fetch_committed()).offset == fetcher.UNKNOWN_OFFSET:
                self.gaps.append(Gap(_place(tp, 0), first, GapReason.NOT_COMMITTED))
        elif first > expected:
            self.gaps.append(Gap(_place(tp, expected), first, GapReason.DELETED))

    def _get_actions_per_node(self, assignment: Any) -> Any:
        now = time.monotonic()
        assigned = list(assignment.tps)
        for tp in list(self.held):
            if tp not in assigned:
                del self.held[tp]
        wanted = [tp for tp in assigned if tp not in self.held or self.held[tp].until <= now]
        return super()._get_actions_per_node(
            SimpleNamespace(tps=wanted, state_value=assignment.state_value)
        )

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

    def release(self, tp: TopicPartition) -> None:
        """Note that a partition can be read again."""
        if self.held.pop(tp, None) is not None:
            log.info("partition_read_again", topic=tp.topic, partition=tp.partition)


class _Answers:
    """The client, which keeps each fetch answer until it is taken: they hold the raw batches."""

    def __init__(self, client: Any) -> None:
        self._wrapped = client
        self.answers: dict[int, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    async def send(self, node_id: int, request: Any) -> Any:
        answer = await self._wrapped.send(node_id, request)
        if isinstance(request, fetcher.FetchRequest):
            self.answers[id(request)] = answer
        return answer


class _Records(fetcher.PartitionRecords):  # type: ignore[misc] # it has no types
    """The records of one partition in one answer. Iterating them raises nothing."""

    _fetcher: LaneFetcher
    _raw: bytes
    next_fetch_offset: int

    @classmethod
    def of(cls, made: Any, owner: LaneFetcher, raw: bytes) -> Self:
        """Return records that nobody has iterated yet as ours; ``raw`` are their batches."""
        records = cls.__new__(cls)
        records.__dict__.update(made.__dict__)
        records._fetcher = owner
        records._raw = raw
        records._records_iterator = records._unpack_records()
        return records

    def _unpack_records(self) -> Iterator[Any]:
        while True:
            try:
                yield from super()._unpack_records()
            except Exception as error:
                batch = _batch_at(self._raw, self.next_fetch_offset)
                try:
                    if batch is None:
                        raise
                    batch._maybe_uncompress()
                except Exception:
                    reason = type(error).__name__
                    self._fetcher.hold(self._tp, reason, self.next_fetch_offset)
                    return
                yield from self._unpack_alone(batch)
            else:
                self._fetcher.release(self._tp)
                return

    def _unpack_alone(self, batch: Any) -> Iterator[Any]:
        """Yield the records of a batch that aiokafka could not decode, or note a gap."""
        first = self.next_fetch_offset
        try:
            records = _decode(batch, self._tp)
        except (ValueError, IndexError, errors.CorruptRecordException):
            place = _place(self._tp, first)
            self._fetcher.gaps.append(Gap(place, batch.next_offset, GapReason.UNREADABLE))
            records = []
        for record in records:
            if record.offset >= first:
                self.next_fetch_offset = record.offset + 1
                yield record
        self.next_fetch_offset = batch.next_offset


def _place(tp: TopicPartition, offset: int) -> Position:
    return Position(tp.topic, tp.partition, offset)


def _batch_at(raw: bytes, offset: int) -> Any:
    """Return the batch with an offset, or the next one after it; None when there is none."""
    start = 0
    while start + 12 <= len(raw):
        _, length = struct.unpack_from(">qi", raw, start)
        end = start + 12 + length
        if end > len(raw) or length < 49:
            return None
        batch = _DefaultRecordBatchPy(raw[start:end])
        if batch.magic != 2:
            return None
        if batch.next_offset > offset:
            return batch if batch.validate_crc() else None
        start = end
    return None


def _decode(batch: Any, tp: TopicPartition) -> list[Any]:
    """Decode an uncompressed batch, header names as UTF-8 with surrogates for other bytes.

    Raises:
        ValueError, IndexError, CorruptRecordException: the batch is no sequence of records.
    """
    data, at = bytes(batch._buffer), batch._pos
    records = []
    for _ in range(batch._num_records):
        length, at = decode_varint(data, at)
        at += length
        if length < 0 or at > len(data):
            raise errors.CorruptRecordException("a record ends past its batch")
        records.append(_decode_record(data, at - length + 1, batch, tp))
    return records


def _decode_record(data: bytes, at: int, batch: Any, tp: TopicPartition) -> Any:
    def integer() -> int:
        nonlocal at
        value, at = decode_varint(data, at)
        return int(value)

    def octets() -> bytes | None:
        nonlocal at
        if (length := integer()) < 0:
            return None
        at += length
        return data[at - length : at]

    after_first, after_base = integer(), integer()
    key, value = octets(), octets()
    headers = tuple(
        ((octets() or b"").decode(errors="surrogateescape"), octets()) for _ in range(integer())
    )
    at_append = batch.timestamp_type == batch.LOG_APPEND_TIME
    timestamp = batch.max_timestamp if at_append else batch.first_timestamp + after_first
    return ConsumerRecord(
        tp.topic,
        tp.partition,
        batch.base_offset + after_base,
        timestamp,
        batch.timestamp_type,
        key,
        value,
        None,
        -1 if key is None else len(key),
        -1 if value is None else len(value),
        headers,
    )
