"""Read-only interface to Kafka, as a protocol, so that tests can supply records from memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


class LogPosition(NamedTuple):
    """Position of one record on Kafka."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class OffsetRange(NamedTuple):
    """Range of offsets in a partition: ``low`` inclusive, ``high`` exclusive."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record as stored on a topic."""

    place: LogPosition
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp: datetime | None = None


class Log(Protocol):
    """Kafka topics and committed offsets, read only."""

    def spans(self, topics: Iterable[str]) -> dict[Partition, OffsetRange]:
        """Return the current range of offsets of every partition of these topics.

        Raises:
            LogUnreadable: a topic does not exist, or the brokers can't be reached.
        """

    def committed(self, group: str, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the group's committed offsets; partitions without one are left out.

        Never joins the group.
        """

    def records(self, spans: Mapping[Partition, OffsetRange]) -> Iterator[LogRecord]:
        """Yield every record in these ranges, in offset order within each partition.

        Raises:
            LogUnreadable: no record arrived before the timeout.
        """
