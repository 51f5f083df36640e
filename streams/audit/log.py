"""What the auditor reads of Kafka, as a protocol: tests hand in records from memory."""

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
    """Where one record stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class OffsetRange(NamedTuple):
    """Offsets that a partition holds: from ``low``, up to and without ``high``."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record as it stands on a topic."""

    place: LogPosition
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp: datetime | None = None


class Log(Protocol):
    """Kafka, read only."""

    def spans(self, topics: Iterable[str]) -> dict[Partition, OffsetRange]:
        """Return what every partition of these topics holds now.

        Raises:
            LogUnreadable: a topic is not there, or the brokers can't be reached.
        """

    def committed(self, group: str, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the group's committed offsets, where it has any; never joins the group."""

    def records(self, spans: Mapping[Partition, OffsetRange]) -> Iterator[LogRecord]:
        """Yield every record of the spans, ascending within each partition, then end.

        Raises:
            LogUnreadable: no record came for longer than is patient.
        """
