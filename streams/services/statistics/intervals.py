"""Intervals for shares, differences of shares and medians, from counts shown in steps of five.

Sources of the formulas:

- share: score interval. E. B. Wilson, Probable inference, the law of succession, and statistical
  inference, Journal of the American Statistical Association 22 (1927), 209-212.
- difference of two shares: R. G. Newcombe, Interval estimation for the difference between
  independent proportions, Statistics in Medicine 17 (1998), 873-890, method 10.
- median: ranks of the sign test, without any assumption about the distribution. W. J. Conover,
  Practical Nonparametric Statistics, third edition (1999), section 3.2.

The rounding to steps is treated as a second source of uncertainty. Over all offsets the mean of a
shown count is the true count, and its variance is r(5 - r), where r is the rest of the count
divided by 5: 6 at most. The variance of the rounding lowers the number of observations that an
interval counts with, as a design effect does (L. Kish, Survey Sampling, 1965, section 8.2).

All intervals are meant to cover the true value in 95 of 100 cases. No test and no p-value is
calculated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

FEWEST: Final = 20
"""Least number of observations, as shown, for which a share or a median is given. Inferred: with
fewer, the interval spans most of the range."""
_Z: Final = 1.959963984540054
"""97.5 % of the standard normal distribution lies below it."""
_ROUNDING_VARIANCE: Final = 6.0
"""Largest variance that the steps of one cell add."""


class Rounded(NamedTuple):
    """A sum of shown counts, and of how many cells."""

    shown: int
    cells: int


class Interval(NamedTuple):
    """An estimate with its limits; for a share from 0 to 1, for a difference from -1 to 1."""

    value: float
    low: float
    high: float

    @property
    def includes_zero(self) -> bool:
        """Whether 0 lies within the limits."""
        return self.low <= 0 <= self.high


def share(part: Rounded, rest: Rounded) -> Interval | None:
    """Return the share of ``part`` in both together; None if they are fewer than 20."""
    n = part.shown + rest.shown
    if n < FEWEST:
        return None
    # Two successes and two failures more: without them nothing would vary at 0 and at 1.
    smooth = (part.shown + 2) / (n + 4)
    sampling = smooth * (1 - smooth) / n
    weighted = part.cells * (1 - smooth) ** 2 + rest.cells * smooth**2
    rounding = _ROUNDING_VARIANCE * weighted / n**2
    return wilson(part.shown / n, n * sampling / (sampling + rounding))


def wilson(value: float, n: float) -> Interval:
    """Return the score interval of a share that was observed in ``n`` observations."""
    spread = _Z * math.sqrt(value * (1 - value) / n + _Z**2 / (4 * n**2))
    centre, scale = value + _Z**2 / (2 * n), 1 + _Z**2 / n
    # At 0 and at 1 the limit is the value itself; rounding errors must not exclude it.
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return Interval(value, max(0.0, min(low, value)), min(1.0, max(high, value)))


def difference(one: Interval, other: Interval) -> Interval:
    """Return one share less another, of two groups without common members."""
    value = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Interval(value, value - below, value + above)


class Median(NamedTuple):
    """The class of the median, and those of its limits, by their numbers from 0."""

    at: int
    low: int
    high: int


def median(classes: Sequence[Rounded]) -> Median | None:
    """Return the class in which the median lies; None if there are fewer than 20 observations.

    ``classes`` are in order. The last may hold the observations that are still to come.
    """
    n = sum(count.shown for count in classes)
    if n < FEWEST:
        return None
    cells = sum(count.cells for count in classes)
    effective = n / (1 + _ROUNDING_VARIANCE * cells / n)
    half, reach = effective / 2, _Z * math.sqrt(effective) / 2
    lower, upper = math.floor(half - reach), math.ceil(half + reach) + 1
    last = len(classes) - 1
    return Median(
        at=_class_at(classes, n / 2),
        low=_class_at(classes, lower / effective * n) if lower >= 1 else 0,
        high=_class_at(classes, upper / effective * n) if upper <= effective else last,
    )


def _class_at(classes: Sequence[Rounded], rank: float) -> int:
    """Return the first class up to which at least ``rank`` observations lie."""
    below = 0
    for number, count in enumerate(classes):
        below += count.shown
        if below >= rank:
            return number
    return len(classes) - 1
