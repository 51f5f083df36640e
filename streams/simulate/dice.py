"""Seeded random draws. They do not depend on hash order, clock or machine."""

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
"""Above this mean the product method is slow and underflows; a rounded normal is close enough."""


@dataclass(frozen=True, slots=True)
class Weighted(Generic[T]):
    """Items with shares that add up to 1. ``bounds`` are the cumulative shares, the last one 1."""

    items: tuple[T, ...]
    bounds: tuple[float, ...]

    @classmethod
    def of(cls, pairs: Iterable[tuple[T, float]]) -> Weighted[T]:
        """Build from items and weights; the weights may have any positive total."""
        listed = list(pairs)
        total = sum(weight for _, weight in listed)
        sums = accumulate(weight / total for _, weight in listed)
        return cls(tuple(item for item, _ in listed), (*list(sums)[:-1], 1.0))

    def share(self, item: T) -> float:
        """Return the share of one item, 0 to 1; 0 if it is not listed."""
        if item not in self.items:
            return 0.0
        at = self.items.index(item)
        return self.bounds[at] - (self.bounds[at - 1] if at else 0.0)


class Dice:
    """One named source of random draws. Draws from one name do not affect those of another."""

    def __init__(self, seed: int, name: str) -> None:
        # Random hashes a text seed with SHA-512, so the draws are the same in every process.
        self._random = Random(f"{seed}/{name}")  # noqa: S311 - simulated data, not a secret

    def chance(self, share: float) -> bool:
        """Return true in ``share`` of the draws."""
        return self._random.random() < share

    def one(self, weighted: Weighted[T]) -> T:
        """Return a random item, by weight."""
        return weighted.items[bisect_right(weighted.bounds, self._random.random())]

    def any(self, items: Sequence[T]) -> T:
        """Return a random item, all equally likely."""
        return items[int(self._random.random() * len(items))]

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included, all equally likely."""
        return low + int(self._random.random() * (high - low + 1))

    def lasting(self, low: timedelta, high: timedelta) -> timedelta:
        """Return a duration from ``low`` to ``high`` in whole seconds, all equally likely."""
        return timedelta(seconds=self.whole(int(low.total_seconds()), int(high.total_seconds())))

    def soon(self, mean: timedelta, most: timedelta) -> timedelta:
        """Return an exponential delay in whole seconds, at least 1 and at most ``most``."""
        drawn = 1 + int(self._random.expovariate(1.0) * mean.total_seconds())
        return min(timedelta(seconds=drawn), most)

    def lognormal(self, median: float, sigma: float) -> float:
        """Return a lognormal number; ``sigma`` is the standard deviation of its logarithm."""
        return self._random.lognormvariate(log(median), sigma)

    def poisson(self, mean: float) -> int:
        """Return a Poisson-distributed count."""
        if mean > _POISSON_BY_PRODUCT:
            return max(0, round(self._random.normalvariate(mean, mean**0.5)))
        count, product, floor = 0, self._random.random(), exp(-mean)
        while product > floor:
            count += 1
            product *= self._random.random()
        return count

    def token(self, prefix: str) -> str:
        """Return ``prefix-`` and 16 hexadecimal digits, without eleven decimal digits in a row."""
        while True:
            text = f"{self._random.getrandbits(64):016x}"
            if not _ELEVEN_DIGITS.search(text):
                return f"{prefix}-{text}"

    def uuid(self) -> UUID:
        """Return a version 4 UUID without eleven decimal digits in a row, hyphens ignored.

        A scan of the data could take eleven digits for a Belgian national number.
        """
        while True:
            drawn = UUID(int=self._random.getrandbits(128), version=4)
            if not _ELEVEN_DIGITS.search(drawn.hex):
                return drawn
