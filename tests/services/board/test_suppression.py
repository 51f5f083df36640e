"""No small count can be told or worked out from what the board shows."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.services.board.suppression import SMALLEST, Table, protect, suppress, withhold

SMALL = range(1, SMALLEST)
counts = st.lists(st.integers(0, 12) | st.integers(0, 1000), max_size=9).map(
    lambda cells: {f"cell-{i}": n for i, n in enumerate(cells)}
)


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, "few"), (4, "few"), (5, 5), (1200, 1200)])
def test_a_lone_count_from_1_to_4_is_few(count: int, shown: int | str) -> None:
    assert suppress(count) == shown
    assert suppress(count, ops=True) == count


def test_a_table_without_small_cells_is_shown_as_it_is() -> None:
    assert protect({"a": 12, "b": 0, "c": 5}) == Table({"a": 12, "b": 0, "c": 5}, 17)


def test_one_small_cell_takes_the_next_larger_with_it() -> None:
    """Else the total less the others would tell it."""
    assert protect({"a": 40, "b": 3, "c": 60}) == Table({"a": "kept", "b": "kept", "c": 60}, 103)


def test_small_cells_that_differ_hide_each_other() -> None:
    assert protect({"a": 40, "b": 4, "c": 3}).cells == {"a": 40, "b": "kept", "c": "kept"}


def test_cells_that_are_alike_do_not_hide_each_other() -> None:
    """Two that make 8 and are both under 5 hold 4 each."""
    assert protect({"a": 40, "b": 4, "c": 4}).cells["a"] == "kept"


def test_a_total_that_would_tell_is_kept_back_too() -> None:
    assert protect({"a": 4, "b": 4}).total == "kept"


def test_of_a_small_total_not_even_the_empty_cells_are_shown() -> None:
    assert protect({"a": 1, "b": 2, "c": 0}) == Table(dict.fromkeys("abc", "kept"), "few")


def test_those_who_work_the_cases_see_every_count() -> None:
    assert protect({"a": 40, "b": 3}, ops=True) == Table({"a": 40, "b": 3}, 43)


@given(counts)
def test_no_small_count_is_shown(cells: dict[str, int]) -> None:
    table = protect(cells)
    assert not {*table.cells.values(), table.total} & set(SMALL)
    for name, shown in table.cells.items():
        assert shown == "kept" or shown == cells[name]


@given(counts, st.data())
def test_no_sum_tells_a_cell_kept_back(cells: dict[str, int], data: st.DataObject) -> None:
    table = protect(cells)
    names = data.draw(st.sets(st.sampled_from([*cells] or ["none"])))
    if not cells:
        return
    shown = table.sum_of(names)
    kept = {name for name, cell in table.cells.items() if cell == "kept"}
    assert shown not in SMALL
    if isinstance(shown, int):
        assert shown == sum(cells[name] for name in names)
        assert not kept & names or kept <= names


@pytest.mark.parametrize(("cells", "most"), [(2, 30), (3, 12), (4, 7), (5, 5)])
def test_who_knows_the_rule_and_the_total_still_cannot_tell_a_small_count(
    cells: int, most: int
) -> None:
    """Of every table of that size: for each small cell, another content is shown the same way."""
    told: dict[str, set[tuple[int, ...]]] = {}
    for counts in product(range(most + 1), repeat=cells):
        table = protect(dict(enumerate(counts)))
        sums = [table.sum_of(names) for k in (1, 2) for names in combinations(range(cells), k)]
        told.setdefault(repr((table, sums)), set()).add(counts)
    for contents in told.values():
        for cell in range(cells):
            found = {content[cell] for content in contents}
            assert len(found) > 1 or found.isdisjoint(SMALL), contents


def test_of_a_table_withheld_only_emptiness_is_shown() -> None:
    assert withhold(protect({"a": 40, "b": 0})) == Table({"a": "kept", "b": 0}, "kept")
