"""In-memory ``Log``: the auditor reads the records that a test puts on a topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from schemas.outcomes import OUTPUT_TOPICS
from streams.audit.log import LogPosition, LogRecord, OffsetRange, Partition
from tests.audit import given
from tests.producers import TOPICS

Headers = Iterable[tuple[str, bytes | None]]


class MemoryLog:
    """All input and output topics, with two partitions each.

    ``after_spans`` are functions to call after each call of ``spans``, to simulate a live stream.
    """

    def __init__(self) -> None:
        self.stored: dict[Partition, dict[int, LogRecord]] = {
            Partition(topic, number): {} for topic in (*TOPICS, *OUTPUT_TOPICS) for number in (0, 1)
        }
        self.lows: dict[Partition, int] = {}
        self.ends: dict[Partition, int] = {}
        self.offsets: dict[Partition, int] = {}
        self.after_spans: list[Callable[[], object]] = []

    def put(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        *,
        partition: int = 0,
        at: datetime | None = None,
        commit: bool = False,
    ) -> LogPosition:
        where = Partition(topic, partition)
        offset = self.ends.get(where, 0)
        place = LogPosition(topic, partition, offset)
        stamp = at or given.NOW
        self.stored[where][offset] = LogRecord(place, key, value, tuple(headers), stamp)
        self.ends[where] = offset + 1
        if commit:
            self.offsets[where] = offset + 1
        return place

    def commit(self, place: LogPosition) -> None:
        self.offsets[Partition(place.topic, place.partition)] = place.offset + 1

    def record(self, place: LogPosition) -> LogRecord:
        return self.stored[Partition(place.topic, place.partition)][place.offset]

    def remove(self, place: LogPosition) -> LogRecord:
        return self.stored[Partition(place.topic, place.partition)].pop(place.offset)

    def truncate(self, partition: Partition, low: int) -> None:
        self.lows[partition] = low
        for offset in [o for o in self.stored[partition] if o < low]:
            del self.stored[partition][offset]

    def spans(self, topics: Iterable[str]) -> dict[Partition, OffsetRange]:
        wanted = set(topics)
        found = {
            part: OffsetRange(self.lows.get(part, 0), self.ends.get(part, 0))
            for part in self.stored
            if part.topic in wanted
        }
        if self.after_spans:
            self.after_spans.pop(0)()
        return found

    def committed(self, group: str, partitions: Iterable[Partition]) -> dict[Partition, int]:
        return {part: self.offsets[part] for part in partitions if part in self.offsets}

    def records(self, spans: Mapping[Partition, OffsetRange]) -> Iterator[LogRecord]:
        for part, span in spans.items():
            for offset, record in sorted(self.stored[part].items()):
                if span.low <= offset < span.high:
                    yield record
