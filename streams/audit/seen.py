"""Compact marks of what was read: a few bits or bytes per record, whatever a record holds."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from os import urandom
from typing import Final

from streams.audit.log import LogPosition, Partition

_PAGE: Final = 256
_RECORD: Final = 1
"""Mark of a position whose record is not the event that is stored there. Hashes are above it."""


class Numbers:
    """Unsigned 64-bit numbers by position, 0 where none was set; about nine bytes each.

    They are in pages that are made when first written, so gaps between positions cost nothing.
    """

    def __init__(self) -> None:
        self._pages: dict[int, array[int]] = {}

    def __getitem__(self, position: int) -> int:
        page = self._pages.get(position // _PAGE)
        return 0 if page is None else page[position % _PAGE]

    def __setitem__(self, position: int, number: int) -> None:
        page = self._pages.get(position // _PAGE)
        if page is None:
            page = self._pages[position // _PAGE] = array("Q", bytes(8 * _PAGE))
        page[position % _PAGE] = number


class Bits:
    """Set of positions, of a bit each. Gaps between positions cost nothing."""

    def __init__(self) -> None:
        self._words = Numbers()

    def __contains__(self, position: int) -> bool:
        return bool(self._words[position // 64] >> position % 64 & 1)

    def add(self, position: int) -> None:
        """Add a position."""
        self._words[position // 64] |= 1 << position % 64


class SeenRecords:
    """Positions at which a record was read, and which stored event each record is.

    Several stored events may name one position, so a mark says which of them its record is: by a
    hash of 63 bits. Its key is random for each audit, so an event can't be made to match the hash
    of another.
    """

    def __init__(self) -> None:
        self._key = urandom(16)
        self._marks: dict[Partition, Numbers] = {}

    def add(self, place: LogPosition) -> None:
        """Mark that there is a record at a position."""
        marks = self._marks.setdefault(Partition(place.topic, place.partition), Numbers())
        marks[place.offset] = marks[place.offset] or _RECORD

    def add_event(self, place: LogPosition, event_id: bytes, source: str) -> None:
        """Mark that the record at a position is this event."""
        marks = self._marks.setdefault(Partition(place.topic, place.partition), Numbers())
        marks[place.offset] = self._hash(event_id, source)

    def has_record(self, place: LogPosition) -> bool:
        """Return whether there is a record at a position."""
        return self._mark(place) != 0

    def has_event(self, place: LogPosition, event_id: bytes, source: str) -> bool:
        """Return whether the record at a position is this event."""
        return self._mark(place) == self._hash(event_id, source)

    def _mark(self, place: LogPosition) -> int:
        marks = self._marks.get(Partition(place.topic, place.partition))
        return 0 if marks is None else marks[place.offset]

    def _hash(self, event_id: bytes, source: str) -> int:
        hashed = blake2b(event_id + source.encode(), digest_size=8, key=self._key).digest()
        return int.from_bytes(hashed) | 2
