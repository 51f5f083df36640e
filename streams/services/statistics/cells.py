"""The cells of the monthly tables, and the suppression of small counts.

One cell is one kind of thing in one month and one row of one table. The cells of a table are
disjoint, and each is shown as the live page shows counts: in steps of five, with a secret offset
of its own that never changes (``streams/services/board/steps.py``). Everything else is calculated
from the shown cells only: a total, a longer period, a share, an interval.

Guarantee: so no difference of rows, months, periods or measures says more than the shown cells
of the table. For each table there are other counts, under other offsets, with which every report
about every period is the same, and which differ wherever a count is small.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from schemas.codes import Language
from schemas.events import Delivery, NotificationChannel
from schemas.outcomes import Track
from streams.services.board.steps import Steps
from streams.services.statistics.intervals import Rounded
from streams.store.monthly import Count

DAY_LIMITS: Final = (0, 1, 2, 4, 7, 14, 30)
"""Where the classes of the time to an answer begin, in times 24 hours. Inferred: they are narrow
where most terms of the policy lie."""
WEEK: Final = 7
"""A day limit: ``answered_in_week`` counts the answers before it."""
LEVEL: Final = 3
"""Least level of a proposal that counts in ``orders_escalated``. Below it a proposal asks the
office for a step towards the person; from it on an official is asked to decide about them."""
FOLLOWED_DAYS: Final = 90
"""How long each case is followed for ``orders_escalated``. Inferred: about three times the longest
departure term."""

UNKNOWN: Final = "unknown"
APPOINTMENTS: Final = ("first_held", "first_missed", "later_held", "later_missed", "walk_ins")
ANSWERED: Final = tuple(f"first_answered_{days}d" for days in DAY_LIMITS)
"""Answered first proposals by their time to the answer, the quickest first."""
_PROPOSALS: Final = (
    *ANSWERED,
    *("first_open", "first_withdrawn", "first_replaced"),
    *("later_answered", "later_open", "later_withdrawn", "later_replaced"),
)
_ORDERS: Final = ("orders_escalated", "orders_not_escalated", "orders_recent")
CELLS: Final = (*APPOINTMENTS, *_PROPOSALS, *_ORDERS)
"""Every cell, in the order of the columns."""
COLUMNS: Final = ("month", "by", "row", *CELLS)
"""Columns of the monthly file. Their order never changes; a new one is added at the end."""

DELIVERY: Final = "delivery"
_ROWS: Final[Mapping[str, tuple[str, ...]]] = {
    "language": (*Language, UNKNOWN),
    "channel": (*NotificationChannel, UNKNOWN),
    "track": (*Track, UNKNOWN),
    "office": (UNKNOWN,),
    DELIVERY: (*Delivery, UNKNOWN),
}
TABLES: Final = tuple(_ROWS)
"""The tables, in the order of the report."""

_Cell: TypeAlias = tuple[str, str, str]


def cells_of(table: str) -> tuple[str, ...]:
    """Return the cells of a table. The delivery of an invitation says nothing about proposals."""
    return APPOINTMENTS if table == DELIVERY else CELLS


class Line(NamedTuple):
    """One line of the monthly file: the shown counts of the columns, empty where none is."""

    month: str
    by: str
    row: str
    shown: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """The shown cells of all tables over some months. It holds no exact count."""

    months: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]
    """Rows of each table, in the order of the report."""
    _shown: Mapping[str, Mapping[_Cell, int]]

    def total(self, table: str, rows: Collection[str], cells: Collection[str]) -> Rounded:
        """Return the sum of shown cells over all months, and of how many."""
        shown = self._shown[table]
        every = [(month, row, cell) for month in self.months for row in rows for cell in cells]
        return Rounded(sum(shown.get(cell, 0) for cell in every), len(every))

    def lines(self) -> Iterator[Line]:
        """Yield one line for each month, table and row, in this order."""
        for month in self.months:
            for table, rows in self.rows.items():
                shown, own = self._shown[table], cells_of(table)
                for row in rows:
                    counts = (
                        shown.get((month, row, cell), 0) if cell in own else None for cell in CELLS
                    )
                    yield Line(month, table, row, tuple(counts))


def publish(
    steps: Steps, counts: Iterable[Count], months: Sequence[str], offices: Sequence[str]
) -> Published:
    """Suppress exact counts.

    ``offices`` are those of the directory. Another office has a row only if a cell of it is shown
    as more than 0, since that its row exists would say that it has a case.
    """
    exact: dict[str, dict[_Cell, int]] = {table: {} for table in TABLES}
    for count in counts:
        cell = (count.month, count.row, count.cell)
        exact[count.by][cell] = exact[count.by].get(cell, 0) + count.number
    rows: dict[str, tuple[str, ...]] = {}
    shown: dict[str, Mapping[_Cell, int]] = {}
    for table, found in exact.items():
        known = (*offices, *_ROWS[table]) if table == "office" else _ROWS[table]
        shown[table] = steps.table(f"monthly {table}", found, listed=()).cells
        others = sorted({row for _, row, _ in shown[table]}.difference(known))
        rows[table] = (*dict.fromkeys(known), *others)
    return Published(tuple(months), rows, shown)
