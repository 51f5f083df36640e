"""No small count can be read or calculated from the board, however long somebody watches it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.services.board.steps import SMALLEST, Steps, Table, offset, step

SMALL = range(1, SMALLEST)
OFFSETS = range(SMALLEST)
KEYS = st.binary(min_size=1, max_size=8)

Contents = tuple[int, ...]
"""The true counts of a table's cells at one instant."""


def shown(contents: Contents, offsets: Contents) -> tuple[Contents, int]:
    """Return what a reader sees: the cells and the total."""
    table = Table(dict(enumerate(map(step, contents, offsets))))
    return tuple(table.cells.values()), table.total


def seen(readings: Sequence[Contents], offsets: Contents) -> tuple[tuple[Contents, int], ...]:
    return tuple(shown(contents, offsets) for contents in readings)


def moved(before: Contents, after: Contents) -> int:
    """Return the least number of cases that came, left or moved between two readings."""
    gained = sum(max(0, b - a) for a, b in zip(before, after, strict=True))
    lost = sum(max(0, a - b) for a, b in zip(before, after, strict=True))
    return max(gained, lost)


def test_every_shown_count_is_a_multiple_of_five_and_near_the_true_one() -> None:
    for count, of in product(range(200), OFFSETS):
        assert step(count, of) % 5 == 0
        assert abs(step(count, of) - count) < 5
    assert {step(0, of) for of in OFFSETS} == {0}, "nothing is shown as nothing"


@given(KEYS, st.dictionaries(st.text(max_size=5), st.integers(0, 1000), max_size=9))
def test_no_small_count_is_shown(key: bytes, counts: dict[str, int]) -> None:
    table = Steps(key).table("any", counts)

    assert not {*table.cells.values(), table.total} & set(SMALL)
    assert all(Steps(key).count("any", count) not in SMALL for count in counts.values())


def test_without_a_key_every_count_is_exact() -> None:
    table = Steps(None).table("any", {"a": 3, "b": 40})

    assert (table.cells, table.total, Steps(None).count("any", 3)) == ({"a": 3, "b": 40}, 43, 3)


def test_a_cell_keeps_its_offset_and_another_cell_or_key_has_its_own() -> None:
    found = [offset(b"key", "offices", f"office-{n}") for n in range(500)]

    assert found == [offset(b"key", "offices", f"office-{n}") for n in range(500)]
    assert all(60 < found.count(one) < 140 for one in OFFSETS), "each is about as frequent"
    assert found != [offset(b"other", "offices", f"office-{n}") for n in range(500)]
    assert found != [offset(b"key", "levels", f"office-{n}") for n in range(500)]


def test_a_single_count_above_0_is_never_shown_as_none() -> None:
    for key in map(str.encode, map(str, range(50))):
        assert Steps(key).count("letters", 0) == 0
        assert {Steps(key).count("letters", n) for n in SMALL} <= {"few", 5}


def test_a_cell_that_is_not_listed_is_left_out_while_it_shows_0() -> None:
    """Otherwise its row would appear with its first case."""
    for key in map(str.encode, map(str, range(50))):
        cells = Steps(key).table("offices", {"open": 1, "closed": 1}, listed=["open"]).cells
        assert "open" in cells
        assert cells.get("closed") in (None, 5)


@given(
    st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=12),
    st.tuples(*[st.sampled_from(OFFSETS)] * 3),
)
def test_another_sequence_shows_the_same_with_another_count_for_each_small_one(
    readings: list[Contents], offsets: Contents
) -> None:
    """The proof of the guarantee, by the other sequence: one cell shifted by one, or reduced."""
    for cell in range(3):
        up = offsets[cell] > 0
        other_offset = offsets[cell] - 1 if up else 1

        def other(count: int, *, up: bool = up) -> int:
            return count + 1 if up else max(0, count - 1)

        others = [(*r[:cell], other(r[cell]), *r[cell + 1 :]) for r in readings]
        other_offsets = (*offsets[:cell], other_offset, *offsets[cell + 1 :])

        assert seen(others, other_offsets) == seen(readings, offsets)
        for mine, theirs in zip(readings, others, strict=True):
            assert mine[cell] not in SMALL or mine[cell] != theirs[cell]
        for i in range(1, len(readings)):
            assert moved(others[i - 1], others[i]) <= moved(readings[i - 1], readings[i])


@pytest.mark.parametrize(("cells", "most", "length"), [(1, 11, 4), (2, 6, 3), (3, 5, 2)])
def test_a_search_over_all_sequences_with_single_moves_finds_no_derivable_small_count(
    cells: int, most: int, length: int
) -> None:
    """The reader knows the rule, and that at most one case moves between two readings."""
    tables = list(product(range(most + 1), repeat=cells))
    next_to = {one: [two for two in tables if moved(one, two) <= 1] for one in tables}
    sequences: list[tuple[Contents, ...]] = [(one,) for one in tables]
    for _ in range(length - 1):
        sequences = [(*left, right) for left in sequences for right in next_to[left[-1]]]
    possible: dict[object, set[tuple[Contents, ...]]] = defaultdict(set)
    for offsets in product(OFFSETS, repeat=cells):
        for sequence in sequences:
            # Above the largest count nothing was tried, so it may look derivable.
            if max(map(max, sequence)) < most:
                possible[seen(sequence, offsets)].add(sequence)

    for behind in possible.values():
        for instant, cell in product(range(length), range(cells)):
            counts = {sequence[instant][cell] for sequence in behind}
            assert len(counts) > 1 or counts.isdisjoint(SMALL), behind


def test_a_re_route_reveals_no_count_of_4() -> None:
    """A case moves from a shown cell to one that held 4, and everything else stays as it was.

    By exact counts from 5 on, the total and the neighbours gave it away.
    """
    before, after = (4, 30), (5, 29)
    shown_before = {offsets: shown(before, offsets) for offsets in product(OFFSETS, repeat=2)}
    for offsets, first in shown_before.items():
        same = {
            one
            for one in product(range(10), range(25, 35))
            for others in product(OFFSETS, repeat=2)
            if shown(one, others) == first
            and shown((one[0] + 1, one[1] - 1), others) == shown(after, offsets)
        }
        assert len({count for count, _ in same}) > 1
