"""Hand committed entries to the relay of the same worker, without reading them from the database.

The order of a case is that of positions, and a worker may not know all entries of a case: another
worker may have written one, or another lane may have one that is committed and not handed over
yet. So each transaction says which other entries it saw unpublished, under the locks of its cases.
Its own are taken only if every one of those was published by this relay or is taken before them.
Otherwise nothing is taken, and the relay reads what is in the outbox.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from streams.store.outbox import Pending, Written

_MOST_WAITING: Final = 4_000
"""Entries that may wait, about 12 MB; with more, the outbox is read instead."""
_MOST_KNOWN: Final = 20_000
"""Most positions that are remembered as published. A transaction may have seen an entry just before
it was marked."""


class Handed(NamedTuple):
    """Entries of one committed transaction, and when they were handed over."""

    written: Written
    at: float


class Handover:
    """Committed entries that wait for the relay, and what the relay published lately."""

    def __init__(self) -> None:
        self._waiting: deque[Handed] = deque()
        self._entries = 0
        self._published: dict[int, None] = {}
        self._missed = True

    def offer(self, written: Written, at: float) -> None:
        """Add the entries of a transaction that has committed; ``at`` is the time by the loop."""
        if self._missed or self._entries >= _MOST_WAITING:
            self._missed = True  # the outbox is read first, and has these too
        else:
            self._waiting.append(Handed(written, at))
            self._entries += len(written.entries)

    def miss(self) -> None:
        """Note that there may be entries in the outbox which were not handed over."""
        self._missed = True

    def reset(self) -> None:
        """Forget everything, as a new holder of the lease does."""
        self.discard()
        self._published.clear()
        self._missed = True

    def discard(self) -> None:
        """Drop what waits, just before the outbox is read: it is committed, so it will be there."""
        self._waiting.clear()
        self._entries = 0
        self._missed = False

    def take(self, limit: int) -> list[tuple[Pending, float]] | None:
        """Remove and return entries to publish, oldest first, each with when it was handed over.

        At least one transaction's, and no further one once there are ``limit``. None means that the
        outbox has to be read.
        """
        if self._missed:
            return None
        taken: list[tuple[Pending, float]] = []
        positions: set[int] = set()
        while self._waiting and len(taken) < limit:
            (entries, others), at = self._waiting.popleft()
            self._entries -= len(entries)
            if others is None or not all(
                one in self._published or one in positions for one in others
            ):
                self._missed = True
                return None
            new = [one for one in entries if one.position not in self._published]
            positions.update([one.position for one in new])
            taken += [(one, at) for one in new]
        return taken

    def published(self, positions: Iterable[int]) -> None:
        """Remember entries that were published and marked."""
        self._published.update(dict.fromkeys(positions))
        while len(self._published) > _MOST_KNOWN:
            del self._published[next(iter(self._published))]
