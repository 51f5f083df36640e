"""Intervals agree with published examples, and cover the truth also after the rounding."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.services.board.steps import SMALLEST, step
from streams.services.statistics.intervals import (
    FEWEST,
    Interval,
    Median,
    Rounded,
    difference,
    median,
    share,
    wilson,
)

COUNTS = st.integers(0, 4000).map(lambda n: n * SMALLEST)
SUMS = st.builds(Rounded, COUNTS, st.integers(1, 300))


def exact(count: int) -> Rounded:
    """Return a count without any rounding."""
    return Rounded(count, 0)


@pytest.mark.parametrize(
    ("part", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_a_share_has_the_limits_of_newcombes_first_paper(
    part: int, n: int, low: float, high: float
) -> None:
    """R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in
    Medicine 17 (1998), 857-872, table I, method 3."""
    found = share(exact(part), exact(n - part))

    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_a_difference_has_the_limits_of_newcombes_second_paper(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    """The source of the formula, table II, method 10."""
    found = difference(*(wilson(x / n, n) for x, n in (one, other)))

    assert found.low == pytest.approx(low, abs=6e-5)
    assert found.high == pytest.approx(high, abs=6e-5)


@pytest.mark.parametrize(("n", "low", "high"), [(20, 5, 14), (100, 39, 60), (50, 17, 32)])
def test_a_median_has_the_ranks_of_the_sign_test(n: int, low: int, high: int) -> None:
    """Each class has one observation, so a class is a rank, counted from 0.

    The exact ranks of the sign test at 95 % are 6 and 15 of 20, 40 and 61 of 100, 18 and 33 of 50:
    the approximation may be one rank wider, never narrower.
    """
    found = median([Rounded(1, 0)] * n)

    assert found is not None
    assert low - 1 <= found.low <= low
    assert high <= found.high <= high + 1
    assert found.at in (n // 2 - 1, n // 2)


def test_fewer_than_twenty_have_neither_share_nor_median() -> None:
    assert share(exact(10), exact(9)) is None
    assert share(exact(10), exact(10)) is not None
    assert median([exact(FEWEST - 1)]) is None
    assert median([exact(FEWEST)]) == Median(0, 0, 0)


@given(SUMS, SUMS)
def test_limits_enclose_the_value_and_stay_in_the_range(part: Rounded, rest: Rounded) -> None:
    found = share(part, rest)
    if found is None:
        assert part.shown + rest.shown < FEWEST
        return
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(SUMS, SUMS, st.integers(1, 100))
def test_more_rounded_cells_never_make_an_interval_narrower(
    part: Rounded, rest: Rounded, more: int
) -> None:
    wider = share(Rounded(part.shown, part.cells + more), rest)
    found = share(part, rest)

    if found is not None and wider is not None:
        assert wider.high - wider.low >= found.high - found.low - 1e-12


@given(SUMS, SUMS, SUMS, SUMS)
def test_a_difference_changes_its_sign_with_the_order(
    a: Rounded, b: Rounded, c: Rounded, d: Rounded
) -> None:
    one, other = share(a, b), share(c, d)
    if one is None or other is None:
        return
    found, back = difference(one, other), difference(other, one)

    assert found.low <= found.value <= found.high
    assert found == pytest.approx(Interval(-back.value, -back.high, -back.low))


@given(st.lists(SUMS, min_size=1, max_size=9))
def test_the_limits_of_a_median_enclose_it(classes: list[Rounded]) -> None:
    found = median(classes)

    if found is not None:
        assert 0 <= found.low <= found.at <= found.high < len(classes)


def rounded(count: int, months: int, dice: random.Random) -> Rounded:
    """Return a count that came in several months, each shown under an offset of its own."""
    cuts = sorted(dice.randint(0, count) for _ in range(months - 1))
    parts = [b - a for a, b in pairwise([0, *cuts, count])]
    return Rounded(sum(step(part, dice.randrange(SMALLEST)) for part in parts), months)


@pytest.mark.parametrize(("n", "true"), [(60, 0.3), (150, 0.5), (400, 0.1), (400, 0.9)])
def test_shares_cover_the_truth_about_as_often_as_they_say_after_the_rounding(
    n: int, true: float
) -> None:
    dice = random.Random(7)
    covered = tried = 0
    for _ in range(1500):
        part = sum(dice.random() < true for _ in range(n))
        found = share(rounded(part, 6, dice), rounded(n - part, 6, dice))
        assert found is not None
        tried += 1
        covered += found.low <= true <= found.high

    assert 0.935 <= covered / tried <= 0.995


def test_differences_of_equal_groups_include_0_about_as_often_as_they_say() -> None:
    dice = random.Random(11)
    includes = 0
    for _ in range(1500):
        shares = []
        for n in (80, 500):
            part = sum(dice.random() < 0.35 for _ in range(n))
            shares.append(share(rounded(part, 6, dice), rounded(n - part, 6, dice)))
        one, other = shares
        assert one is not None
        assert other is not None
        includes += difference(one, other).includes_zero

    assert 0.935 <= includes / 1500 <= 0.995


def test_medians_cover_the_truth_at_least_as_often_as_they_say_after_the_rounding() -> None:
    """Times are equally likely in ten classes, so half of them lie in the first five."""
    dice = random.Random(13)
    covered = 0
    for _ in range(1000):
        times = [dice.randrange(10) for _ in range(150)]
        classes = [rounded(times.count(one), 3, dice) for one in range(10)]
        found = median(classes)
        assert found is not None
        covered += (found.low <= 4 and found.high >= 5) or found.low <= 4 <= found.high

    assert covered >= 950
