"""No small count can be calculated from the reports, by whatever rows, months or periods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations_with_replacement
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codes import Language
from streams.services.board import steps
from streams.services.board.steps import SMALLEST, Steps
from streams.services.statistics import months
from streams.services.statistics.cells import (
    APPOINTMENTS,
    CELLS,
    COLUMNS,
    DELIVERY,
    TABLES,
    Published,
    publish,
)
from streams.services.statistics.fairness import compare, to_json
from streams.store.monthly import Count

MONTHS = months.between("2026-01", "2026-03")
PERIODS = [(a, b) for a, b in combinations_with_replacement(MONTHS, 2)]
OFFICES = ("gent", "liege")
KEY = Steps(b"a secret")

Name = tuple[str, str, str, str]
"""Month, table, row and cell."""
NAMES = st.tuples(
    st.sampled_from(MONTHS),
    st.sampled_from(("language", "office")),
    st.sampled_from(("nl", "fr", "gent", "elsewhere")),
    st.sampled_from(("first_held", "first_missed", "orders_escalated", "first_open")),
)
WORLDS = st.dictionaries(NAMES, st.integers(0, 9) | st.integers(10, 60), max_size=30)
OFFSETS = st.dictionaries(NAMES, st.integers(0, SMALLEST - 1), max_size=30)


def counts(world: Mapping[Name, int]) -> Iterable[Count]:
    return (Count(*name, number) for name, number in world.items())


def published(world: Mapping[Name, int], period: tuple[str, str]) -> Published:
    within = {name: n for name, n in world.items() if period[0] <= name[0] <= period[1]}
    return publish(KEY, counts(within), months.between(*period), OFFICES)


def everything(world: Mapping[Name, int], offsets: Mapping[Name, int]) -> list[Any]:
    """Return every report about every period, under these offsets."""

    def offset(key: bytes, table: str, cell: tuple[str, str, str]) -> int:
        month, row, name = cell
        return offsets.get((month, table.removeprefix("monthly "), row, name), 0)

    with patch.object(steps, "offset", offset):
        found = [published(world, period) for period in PERIODS]
    return [(list(one.lines()), to_json(compare(one))) for one in found]


@given(WORLDS, OFFSETS)
def test_other_counts_give_the_same_reports_about_every_period(
    world: dict[Name, int], offsets: dict[Name, int]
) -> None:
    """The proof of the guarantee: nothing that is calculated from the reports is the small count.

    For each small count there is another world, with that count changed by one under another
    offset, of which a reader sees the same.
    """
    seen = everything(world, offsets)
    for name, count in world.items():
        if not 0 < count < SMALLEST:
            continue
        up = offsets.get(name, 0) > 0
        other = world | {name: count + 1 if up else count - 1}
        other_offsets = offsets | {name: offsets[name] - 1 if up else 1}

        assert everything(other, other_offsets) == seen


@given(WORLDS, st.binary(min_size=1, max_size=8))
def test_nothing_that_one_subtracts_is_a_small_count(world: dict[Name, int], key: bytes) -> None:
    """Rows, months and periods: every sum of cells and every difference is a multiple of five."""
    shown = publish(Steps(key), counts(world), MONTHS, OFFICES)

    for line in shown.lines():
        assert all(n is None or n % SMALLEST == 0 for n in line.shown)
    for table in compare(shown).tables:
        assert all(n % SMALLEST == 0 for row in table.rows for n in row.counts.values())


@given(WORLDS)
def test_a_longer_period_is_the_sum_of_its_months(world: dict[Name, int]) -> None:
    """A cell has one offset in every report: otherwise their average would tell its count."""
    for table in TABLES:
        for cell in CELLS:
            rows = published(world, PERIODS[2]).rows[table]
            whole = published(world, (MONTHS[0], MONTHS[2])).total(table, rows, [cell])
            single = [published(world, (one, one)).total(table, rows, [cell]) for one in MONTHS]
            assert whole.shown == sum(one.shown for one in single)
            assert whole.cells == sum(one.cells for one in single)


def test_a_month_shows_about_its_count() -> None:
    world = {("2026-01", "language", "nl", "first_held"): 412}

    line = next(published(world, ("2026-01", "2026-01")).lines())

    assert (line.month, line.by, line.row) == ("2026-01", "language", "nl")
    assert line.shown[CELLS.index("first_held")] in (410, 415)


def test_every_month_has_a_line_for_every_row_in_one_order() -> None:
    lines = [(line.month, line.by, line.row) for line in published({}, PERIODS[2]).lines()]

    assert lines == sorted(lines, key=lambda line: (line[0], TABLES.index(line[1])))
    languages = [row for month, by, row in lines if (month, by) == ("2026-01", "language")]
    assert languages == [*Language, "unknown"]
    assert [row for month, by, row in lines if (month, by) == ("2026-01", "office")] == [
        *OFFICES,
        "unknown",
    ]


@pytest.mark.parametrize("others", [1, 4, 30])
def test_an_office_that_the_directory_does_not_know_has_no_row_while_it_shows_0(
    others: int,
) -> None:
    """Otherwise its row would say that it has a case."""
    for key in (b"a", b"b", b"c", b"d", b"e", b"f"):
        world = {("2026-01", "office", "closed", "first_held"): others}
        shown = publish(Steps(key), counts(world), MONTHS, OFFICES)
        total = shown.total("office", ["closed"], ["first_held"]).shown
        assert ("closed" in shown.rows["office"]) == (total > 0)


def test_the_columns_keep_their_order() -> None:
    """Programs of others read them: add a column at the end, and its line in docs/fairness.md."""
    assert (
        *("month", "by", "row"),
        *("first_held", "first_missed", "later_held", "later_missed", "walk_ins"),
        *("first_answered_0d", "first_answered_1d", "first_answered_2d", "first_answered_4d"),
        *("first_answered_7d", "first_answered_14d", "first_answered_30d"),
        *("first_open", "first_withdrawn", "first_replaced"),
        *("later_answered", "later_open", "later_withdrawn", "later_replaced"),
        *("orders_escalated", "orders_not_escalated", "orders_recent"),
    ) == COLUMNS


def test_the_delivery_of_an_invitation_counts_no_proposal() -> None:
    for line in published({}, PERIODS[0]).lines():
        empty = [cell for cell, n in zip(CELLS, line.shown, strict=True) if n is None]
        assert set(empty) == (set(CELLS) - set(APPOINTMENTS) if line.by == DELIVERY else set())


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (lambda: months.first_day("2026-3"), "not a month"),
        (lambda: months.first_day("2026-03-01"), "not a month"),
        (lambda: months.first_day("2026-13"), "month must be"),
    ],
)
def test_what_is_no_month_is_refused(told: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        told()


def test_months_pass_over_the_turn_of_a_year() -> None:
    assert months.between("2025-11", "2026-02") == ("2025-11", "2025-12", "2026-01", "2026-02")
    assert months.after("2026-01", -13) == "2024-12"
    assert months.last_day("2024-02").day == 29
    assert months.between("2026-02", "2026-01") == ()
