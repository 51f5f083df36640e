"""The heads that checkpoints signed. They are of all of history, so each is kept in few bytes."""

from __future__ import annotations

from collections.abc import Iterator, KeysView
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Final, NamedTuple

from schemas.chain import Head

_ROW: Final = Struct("<qqq32s")
"""Microseconds since 1970, links, entries, hash."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)


class SignedHead(NamedTuple):
    """A head that a checkpoint signed, and when, in UTC."""

    at: datetime
    head: Head


class SignedHeads:
    """The signed heads of each case, in the order in which they were signed: 56 bytes each."""

    def __init__(self) -> None:
        self._rows: dict[str, bytearray] = {}

    @property
    def cases(self) -> KeysView[str]:
        """The cases with a signed head."""
        return self._rows.keys()

    def add(self, case_id: str, at: datetime, head: Head) -> None:
        """Add the newest signed head of a case."""
        row = _ROW.pack((at - _EPOCH) // _TICK, head.links, head.entries, head.hash)
        self._rows.setdefault(case_id, bytearray()).extend(row)

    def of(self, case_id: str) -> Iterator[SignedHead]:
        """Yield the signed heads of a case, oldest first."""
        return map(_read, _ROW.iter_unpack(self._rows.get(case_id, b"")))

    def links(self, case_id: str) -> int:
        """Return how many links the newest signed head of a case covers; -1 without one."""
        rows = self._rows.get(case_id)
        if not rows:
            return -1
        _, links, _, _ = _ROW.unpack_from(rows, len(rows) - _ROW.size)
        return int(links)

    def go_back(self, case_id: str, links: int) -> None:
        """Forget the heads of a case that cover this many links or more."""
        kept = [one for one in self.of(case_id) if one.head.links < links]
        self._rows.pop(case_id, None)
        for at, head in kept:
            self.add(case_id, at, head)


def _read(row: tuple[int, int, int, bytes]) -> SignedHead:
    ticks, links, entries, hash_ = row
    return SignedHead(_EPOCH + ticks * _TICK, Head(links, entries, hash_))
