"""Compare the rows of each table: counts, shares, and their differences from the other rows.

A share counts each case once: by its first appointment, its first proposal or its first order.
Several events about one person are not independent, and an interval that treats them so is too
narrow. The counts include all events.

There is no figure about a person here, and no score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

from streams.services.statistics.cells import (
    ANSWERED,
    APPOINTMENTS,
    DAY_LIMITS,
    TABLES,
    WEEK,
    Published,
    cells_of,
)
from streams.services.statistics.intervals import Interval, Median, difference, median, share

COUNTS: Final[Mapping[str, tuple[str, ...]]] = {
    "orders": ("orders_escalated", "orders_not_escalated", "orders_recent"),
    "shows": ("first_held", "later_held", "walk_ins"),
    "misses": ("first_missed", "later_missed"),
    "escalations": (
        *ANSWERED,
        *("first_open", "first_withdrawn", "first_replaced"),
        *("later_answered", "later_open", "later_withdrawn", "later_replaced"),
    ),
    "answers": (*ANSWERED, "later_answered"),
    "withdrawals": ("first_withdrawn", "later_withdrawn"),
    "replaced": ("first_replaced", "later_replaced"),
    "open": ("first_open", "later_open"),
}
"""Cells that each count is the sum of."""


class _Parts(NamedTuple):
    part: tuple[str, ...]
    rest: tuple[str, ...]


_WITHIN: Final = tuple(
    cell for cell, limit in zip(ANSWERED, DAY_LIMITS, strict=True) if limit < WEEK
)
SHARES: Final[Mapping[str, _Parts]] = {
    "missed": _Parts(("first_missed",), ("first_held",)),
    "escalated": _Parts(("orders_escalated",), ("orders_not_escalated",)),
    "withdrawn": _Parts(("first_withdrawn",), (*ANSWERED, "first_open", "first_replaced")),
    "answered": _Parts(ANSWERED, ("first_open",)),
    "answered_in_week": _Parts(
        _WITHIN, (*(cell for cell in ANSWERED if cell not in _WITHIN), "first_open")
    ),
}
"""Cells of the part and of the rest of each share."""
WAITING_CLASSES: Final = tuple((cell,) for cell in (*ANSWERED, "first_open"))
"""Classes of the time to an answer. The last one has no answer yet."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table. A share or difference is None if there is too little to compare."""

    name: str
    counts: Mapping[str, int]
    shares: Mapping[str, Interval | None]
    others: Mapping[str, Interval | None]
    """The shares of all other rows together."""
    differences: Mapping[str, Interval | None]
    """The row's share less that of the others."""
    waiting: Median | None
    """Time until half of the first proposals were answered, as ``WAITING_CLASSES``."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One table with all its rows."""

    by: str
    rows: tuple[Row, ...]
    shares: tuple[str, ...]
    """The shares that the table has."""

    @property
    def compared(self) -> int:
        """Number of differences that are shown."""
        return sum(found is not None for row in self.rows for found in row.differences.values())


@dataclass(frozen=True, slots=True)
class Fairness:
    """The report about some months."""

    months: tuple[str, ...]
    tables: tuple[Comparison, ...]

    @property
    def compared(self) -> int:
        """Number of differences that are shown."""
        return sum(table.compared for table in self.tables)


def compare(published: Published) -> Fairness:
    """Return the report. It is a function of the shown cells only."""
    tables = tuple(_comparison(published, table) for table in TABLES)
    return Fairness(published.months, tables)


def _comparison(published: Published, table: str) -> Comparison:
    own = set(cells_of(table))
    shares = tuple(name for name, parts in SHARES.items() if own.issuperset(parts.part))
    counts = tuple(name for name, cells in COUNTS.items() if own.issuperset(cells))
    names = published.rows[table]
    rows = []
    for name in names:
        apart = [other for other in names if other != name]
        mine = {one: _share(published, table, [name], one) for one in shares}
        others = {one: _share(published, table, apart, one) for one in shares}
        rows.append(
            Row(
                name,
                {one: published.total(table, [name], COUNTS[one]).shown for one in counts},
                mine,
                others,
                {one: _difference(mine[one], others[one]) for one in shares},
                _waiting(published, table, name) if own != set(APPOINTMENTS) else None,
            )
        )
    return Comparison(table, tuple(rows), shares)


def _share(published: Published, table: str, rows: list[str], name: str) -> Interval | None:
    part, rest = (published.total(table, rows, cells) for cells in SHARES[name])
    return share(part, rest)


def _difference(one: Interval | None, other: Interval | None) -> Interval | None:
    return difference(one, other) if one is not None and other is not None else None


def _waiting(published: Published, table: str, row: str) -> Median | None:
    return median([published.total(table, [row], cells) for cells in WAITING_CLASSES])


def to_json(report: Fairness) -> dict[str, Any]:
    """Return the report for machines. Shares from 0 to 1, times in days (24 hours)."""
    return {
        "months": list(report.months),
        "comparisons": report.compared,
        "tables": [
            {
                "by": table.by,
                "rows": [
                    {
                        "row": row.name,
                        "counts": dict(row.counts),
                        "shares": {
                            name: {
                                "share": _limits(row.shares[name]),
                                "others": _limits(row.others[name]),
                                "difference": _limits(row.differences[name]),
                            }
                            for name in table.shares
                        },
                        "days_to_answer": _days(row.waiting),
                    }
                    for row in table.rows
                ],
            }
            for table in report.tables
        ],
    }


def _limits(found: Interval | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {name: round(value, 4) for name, value in found._asdict().items()}


def _days(found: Median | None) -> dict[str, Any] | None:
    """Return the classes as days: from, less than; None for no limit or no answer yet."""
    if found is None:
        return None
    return {name: asdict(days(number)) for name, number in found._asdict().items()}


@dataclass(frozen=True, slots=True)
class Days:
    """A class of the time to an answer. Both None: not answered yet."""

    at_least: int | None
    less_than: int | None


def days(number: int) -> Days:
    """Return a class of ``WAITING_CLASSES`` by its number."""
    if number == len(DAY_LIMITS):
        return Days(None, None)
    beyond = DAY_LIMITS[number + 1] if number + 1 < len(DAY_LIMITS) else None
    return Days(DAY_LIMITS[number], beyond)
