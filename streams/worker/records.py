"""Records of one partition as they are fetched, whatever a batch holds.

- Records that aiokafka can't decode are decoded here, with the bytes of header names kept.
- A batch that can't be decoded at all holds its partition.
- A batch that holds too much when decompressed is not read, and becomes a ``Gap``.

Overridden: ``PartitionRecords._unpack_records``; tests/worker/test_transport.py compares it with
the aiokafka release.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, Protocol, Self

from aiokafka import errors
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.util import decode_varint
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.store.events import Position
from streams.store.gaps import Gap, GapReason, LogOpened
from streams.worker import prefetch
from streams.worker.decompress import BatchTooLarge, bound_aiokafka

bound_aiokafka()

_MOST_RECORDS: Final = 100_000
"""Most records of a batch that is decoded here, all at once."""


class Owner(Protocol):
    """Who fetched the records, and is told what can't be read."""

    @property
    def gaps(self) -> deque[Gap | LogOpened]:
        """What was lost, in order."""

    def hold(self, tp: TopicPartition, reason: str, offset: int) -> None:
        """Stop reading a partition for a while."""

    def skip(self, tp: TopicPartition, offset: int) -> int | None:
        """Return the offset to go on at, if what can't be read is to be passed."""

    def release(self, tp: TopicPartition) -> None:
        """Note that a partition can be read."""


class Records(fetcher.PartitionRecords):  # type: ignore[misc] # it has no types
    """The records of one partition in one answer. Iterating them raises nothing."""

    _fetcher: Owner
    _raw: bytes
    size: int
    """What they take; see ``prefetch.size``."""
    next_fetch_offset: int

    @classmethod
    def of(cls, made: Any, owner: Owner, raw: bytes) -> Self:
        """Return records that nobody has iterated yet as ours; ``raw`` are their batches."""
        records = cls.__new__(cls)
        records.__dict__.update(made.__dict__)
        # Its iterator refers to it: both would keep the answer until the collector runs.
        made._records_iterator = None
        records._fetcher = owner
        records._raw = raw
        records.size = prefetch.size(raw)
        records._records_iterator = records._unpack_records()
        return records

    def end(self) -> None:
        """Let go of what is unread: the iterator refers to the records, and they to it."""
        self._records_iterator = iter(())

    def _unpack_records(self) -> Iterator[Any]:
        while True:
            try:
                yield from super()._unpack_records()
            except BatchTooLarge:
                if not self._skip_too_large():
                    return
            except Exception as error:
                batch = _batch_at(self._raw, self.next_fetch_offset)
                try:
                    if batch is None:
                        raise
                    batch._maybe_uncompress()
                except Exception:
                    beyond = self._fetcher.skip(self._tp, self.next_fetch_offset)
                    if beyond is not None:
                        self.next_fetch_offset = beyond
                        return
                    reason = type(error).__name__
                    self._fetcher.hold(self._tp, reason, self.next_fetch_offset)
                    return
                yield from self._unpack_alone(batch)
            else:
                self._fetcher.release(self._tp)
                return

    def _skip_too_large(self) -> bool:
        """Note the batch at the next offset as a gap, and go on after it."""
        first, batch = self.next_fetch_offset, _batch_at(self._raw, self.next_fetch_offset)
        if batch is None:
            self._fetcher.hold(self._tp, BatchTooLarge.__name__, first)
            return False
        at = place(self._tp, first)
        self._fetcher.gaps.append(Gap(at, batch.next_offset, GapReason.TOO_LARGE))
        self.next_fetch_offset = batch.next_offset
        return True

    def _unpack_alone(self, batch: Any) -> Iterator[Any]:
        """Yield the records of a batch that aiokafka could not decode, or note a gap."""
        first = self.next_fetch_offset
        try:
            records = _decode(batch, self._tp)
        except (ValueError, IndexError, errors.CorruptRecordException):
            at = place(self._tp, first)
            self._fetcher.gaps.append(Gap(at, batch.next_offset, GapReason.UNREADABLE))
            records = []
        for record in records:
            if record.offset >= first:
                self.next_fetch_offset = record.offset + 1
                yield record
        self.next_fetch_offset = batch.next_offset


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
    if batch._num_records > _MOST_RECORDS:
        raise errors.CorruptRecordException("too many records in a batch")
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


def place(tp: TopicPartition, offset: int) -> Position:
    return Position(tp.topic, tp.partition, offset)
