"""No small count can be read or calculated from what the board shows."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.services.board.suppression import (
    SMALLEST,
    Table,
    suppress_all,
    suppress_count,
    suppress_table,
)

SMALL = range(1, SMALLEST)
counts = st.lists(st.integers(0, 12) | st.integers(0, 1000), max_size=9).map(
    lambda cells: {f"cell-{i}": n for i, n in enumerate(cells)}
)


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, "few"), (4, "few"), (5, 5), (1200, 1200)])
def test_a_single_count_from_1_to_4_is_shown_as_few(count: int, shown: int | str) -> None:
    assert suppress_count(count) == shown
    assert suppress_count(count, ops=True) == count


def test_a_table_without_small_cells_is_shown_unchanged() -> None:
    assert suppress_table({"a": 12, "b": 0, "c": 5}) == Table({"a": 12, "b": 0, "c": 5}, 17)


def test_one_small_cell_suppresses_the_next_larger_too() -> None:
    """Otherwise the total minus the other cells would reveal it."""
    assert suppress_table({"a": 40, "b": 3, "c": 60}) == Table(
        {"a": "kept", "b": "kept", "c": 60}, 103
    )


def test_small_cells_with_different_counts_hide_each_other() -> None:
    assert suppress_table({"a": 40, "b": 4, "c": 3}).cells == {"a": 40, "b": "kept", "c": "kept"}


def test_small_cells_with_equal_counts_do_not_hide_each_other() -> None:
    """Two cells under 5 that add up to 8 hold 4 each."""
    assert suppress_table({"a": 40, "b": 4, "c": 4}).cells["a"] == "kept"


def test_a_total_that_would_reveal_the_cells_is_suppressed() -> None:
    assert suppress_table({"a": 4, "b": 4}).total == "kept"


def test_a_small_total_suppresses_the_empty_cells_too() -> None:
    assert suppress_table({"a": 1, "b": 2, "c": 0}) == Table(dict.fromkeys("abc", "kept"), "few")


def test_ops_mode_shows_every_count() -> None:
    assert suppress_table({"a": 40, "b": 3}, ops=True) == Table({"a": 40, "b": 3}, 43)


@given(counts)
def test_no_small_count_is_shown(cells: dict[str, int]) -> None:
    table = suppress_table(cells)
    assert not {*table.cells.values(), table.total} & set(SMALL)
    for name, shown in table.cells.items():
        assert shown == "kept" or shown == cells[name]


@given(counts, st.data())
def test_no_sum_reveals_a_suppressed_cell(cells: dict[str, int], data: st.DataObject) -> None:
    table = suppress_table(cells)
    names = data.draw(st.sets(st.sampled_from([*cells] or ["none"])))
    if not cells:
        return
    shown = table.sum_of(names)
    suppressed = {name for name, cell in table.cells.items() if cell == "kept"}
    assert shown not in SMALL
    if isinstance(shown, int):
        assert shown == sum(cells[name] for name in names)
        assert not suppressed & names or suppressed <= names


@pytest.mark.parametrize(("cells", "most"), [(2, 30), (3, 12), (4, 7), (5, 5)])
def test_a_small_count_cannot_be_calculated_from_the_rule_and_the_total(
    cells: int, most: int
) -> None:
    """For each small cell of every table of that size, another count is shown the same way."""
    tables_by_display: dict[str, set[tuple[int, ...]]] = {}
    for counts in product(range(most + 1), repeat=cells):
        table = suppress_table(dict(enumerate(counts)))
        sums = [table.sum_of(names) for k in (1, 2) for names in combinations(range(cells), k)]
        tables_by_display.setdefault(repr((table, sums)), set()).add(counts)
    for contents in tables_by_display.values():
        for cell in range(cells):
            possible = {content[cell] for content in contents}
            assert len(possible) > 1 or possible.isdisjoint(SMALL), contents


def test_suppressing_all_shows_only_the_empty_cells() -> None:
    assert suppress_all(suppress_table({"a": 40, "b": 0})) == Table({"a": "kept", "b": 0}, "kept")
