"""Rows that are sent as one text for each column arrive as they were."""

from __future__ import annotations

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from streams.store.columns import Columns, NotAValue
from streams.store.pool import Pool

PAIRS = Columns(name="text", number="integer")
_TEXT = st.text(st.characters(exclude_characters="\x00\x1f", codec="utf-8"), min_size=1)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("one", "1")],
        [("one", "")],
        [("one", ""), ("two", "")],
        [("one", ""), ("two", "2"), ("thr\\ee, {\"'}\n\té", "-3")],
    ],
)
async def test_rows_arrive_in_order_and_an_empty_text_is_null(
    pool: Pool, rows: list[tuple[str, str]]
) -> None:
    async with pool.acquire() as conn:
        found = await conn.fetch(
            f"SELECT name, number, nth FROM {PAIRS.rows(2, 'pair')} WHERE $1 ORDER BY nth",
            True,
            *PAIRS.texts(rows),
        )
    expected = [
        (name, int(number) if number else None, nth)
        for nth, (name, number) in enumerate(rows, start=1)
    ]
    assert [tuple(row) for row in found] == expected


@forall(st.lists(st.tuples(_TEXT, st.integers().map(str)), min_size=1))
def test_each_column_holds_every_value_once(rows: list[tuple[str, str]]) -> None:
    names, numbers = PAIRS.texts(rows)
    assert list(zip(names.split("\x1f"), numbers.split("\x1f"), strict=True)) == rows


@pytest.mark.parametrize("row", [("one\x1ftwo", "1"), ("one", "1\x1f2"), ("", "1")])
def test_a_row_that_would_arrive_as_another_is_refused(row: tuple[str, str]) -> None:
    with pytest.raises(NotAValue):
        PAIRS.texts([row])


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        PAIRS.texts([("one", "1"), ("two",)])
