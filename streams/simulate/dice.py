"""Chance, drawn from one seeded source. Nothing here depends on hash order, clock or machine."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate
from math import exp, log
from random import Random
from typing import Final, Generic, TypeVar
from uuid import UUID

T = TypeVar("T")

_ELEVEN_DIGITS: Final = re.compile("[0-9]{11}")
_POISSON_BY_PRODUCT: Final = 50.0
"""Above this mean the product method underflows or crawls; a rounded normal is close enough."""


@dataclass(frozen=True, slots=True)
class Weighted(Generic[T]):
    """A closed list with shares. ``bounds`` are the cumulative shares, the last one 1."""

    items: tuple[T, ...]
    bounds: tuple[float, ...]

    @classmethod
    def of(cls, pairs: Iterable[tuple[T, float]]) -> Weighted[T]:
        """Build the list from items and weights of any positive total."""
        listed = list(pairs)
        total = sum(weight for _, weight in listed)
        sums = accumulate(weight / total for _, weight in listed)
        return cls(tuple(item for item, _ in listed), (*list(sums)[:-1], 1.0))

    def share(self, item: T) -> float:
        """Return the share of one item, 0 to 1; 0 when it is not listed."""
        if item not in self.items:
            return 0.0
        at = self.items.index(item)
        return self.bounds[at] - (self.bounds[at - 1] if at else 0.0)


class Dice:
    """Draws of one kind of chance; two dice with unlike names never disturb one another."""

    def __init__(self, seed: int, name: str) -> None:
        # A text seed goes through SHA-512, so it is the same in every process.
        self._random = Random(f"{seed}/{name}")  # noqa: S311 - made-up data, not a secret

    def chance(self, share: float) -> bool:
        """Return true in ``share`` of the draws."""
        return self._random.random() < share

    def one(self, weighted: Weighted[T]) -> T:
        """Return one item by its weight."""
        return weighted.items[bisect_right(weighted.bounds, self._random.random())]

    def any(self, items: Sequence[T]) -> T:
        """Return one item, all alike."""
        return items[int(self._random.random() * len(items))]

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included, all alike."""
        return low + int(self._random.random() * (high - low + 1))

    def lasting(self, low: timedelta, high: timedelta) -> timedelta:
        """Return a duration between two others, in whole seconds."""
        return timedelta(seconds=self.whole(int(low.total_seconds()), int(high.total_seconds())))

    def soon(self, mean: timedelta, most: timedelta) -> timedelta:
        """Return an exponential waiting time in whole seconds, at least 1, cut at ``most``."""
        drawn = 1 + int(self._random.expovariate(1.0) * mean.total_seconds())
        return min(timedelta(seconds=drawn), most)

    def lognormal(self, median: float, sigma: float) -> float:
        """Return a lognormal number with that median; ``sigma`` is of its logarithm."""
        return self._random.lognormvariate(log(median), sigma)

    def poisson(self, mean: float) -> int:
        """Return a Poisson count."""
        if mean > _POISSON_BY_PRODUCT:
            return max(0, round(self._random.normalvariate(mean, mean**0.5)))
        count, product, floor = 0, self._random.random(), exp(-mean)
        while product > floor:
            count += 1
            product *= self._random.random()
        return count

    def token(self, prefix: str) -> str:
        """Return ``prefix-`` and 16 hexadecimal digits, never eleven decimal ones in a row."""
        while True:
            text = f"{self._random.getrandbits(64):016x}"
            if not _ELEVEN_DIGITS.search(text):
                return f"{prefix}-{text}"

    def uuid(self) -> UUID:
        """Return a version 4 UUID without eleven decimal digits in a row, hyphens left out.

        Eleven digits could be read as a Belgian national number by a scan of the data.
        """
        while True:
            drawn = UUID(int=self._random.getrandbits(128), version=4)
            if not _ELEVEN_DIGITS.search(drawn.hex):
                return drawn
