"""docs/fairness.md describes every column, table, share and limit as they are in the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from streams.services.statistics import months
from streams.services.statistics.cells import (
    ANSWERED,
    COLUMNS,
    DAY_LIMITS,
    FOLLOWED_DAYS,
    LEVEL,
    TABLES,
)
from streams.services.statistics.fairness import SHARES
from streams.services.statistics.intervals import FEWEST

PAGE: Final = (Path(__file__).parents[2] / "docs" / "fairness.md").read_text()


def rows(first: str) -> list[list[str]]:
    """Return the rows of the table whose head begins with ``first``."""
    table = PAGE[PAGE.index(f"| {first} |") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def names(first: str) -> list[str]:
    return [row[0].strip("`") for row in rows(first)]


def test_the_dictionary_has_every_column_in_its_order_with_its_unit() -> None:
    assert names("column") == list(COLUMNS)
    assert all(len(row) == 3 and all(row) for row in rows("column"))


def test_the_dictionary_says_the_days_of_each_class() -> None:
    described = {row[0].strip("`"): row[2] for row in rows("column")}
    for cell, start, end in zip(ANSWERED[1:-1], DAY_LIMITS[1:-1], DAY_LIMITS[2:], strict=True):
        assert [int(n) for n in re.findall(r"(?<!\()\b\d+\b", described[cell])] == [start, end]


def test_the_page_has_every_table_and_share() -> None:
    assert names("table") == list(TABLES)
    assert names("share") == list(SHARES)
    for name, _, *_ in rows("share"):
        parts = SHARES[name.strip("`")]
        cells = re.findall(r"`(\w+)`", rows("share")[names("share").index(name.strip("`"))][1])
        assert set(cells) <= set(parts.part)


def test_the_page_says_the_limits() -> None:
    assert f"level {LEVEL} or above due within {FOLLOWED_DAYS} days" in PAGE
    assert f"at most {months.MOST};" in PAGE
    assert f"Below {FEWEST} observations" in PAGE
