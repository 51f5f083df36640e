"""Stop a broken deploy: too many records in a row on which our own code fails."""

from __future__ import annotations

from collections import Counter


class BugCounter:
    """Counts failures of our own code, for all lanes of one worker.

    A failure counts until the same lane isolates a record that is applied. A success in another
    lane does not reset it: a bug that hits one lane's records only must stop the worker as well. A
    batch that is applied as a whole does not reset it either, or a quiet stream, whose batches hold
    one record, could send every record of one type to the dead letters.
    """

    def __init__(self, limit: int) -> None:
        """``limit`` failures are too many."""
        self._limit = limit
        self._by_lane: Counter[object] = Counter()

    def failed(self, lane: object) -> int:
        """Count a failure of a lane; return how many count now, over all lanes."""
        self._by_lane[lane] += 1
        return self._by_lane.total()

    def applied(self, lane: object) -> None:
        """Reset the count of a lane, which applied a record that it had isolated."""
        del self._by_lane[lane]

    @property
    def too_many(self) -> bool:
        """Whether the failures that count have reached the limit."""
        return self._by_lane.total() >= self._limit
