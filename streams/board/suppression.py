"""What of a table of counts may be shown to anyone, so that no small count can be worked out.

A count from 1 to 4 may point at a person. It is kept back, and with it as many of its neighbours as
it takes to make the difference between a total and what is shown say nothing: totals may be known
from elsewhere. All that is kept back looks alike. 0 is shown: nobody is in it.

Guarantee: of the cells kept back in a table, whatever its total, each may hold anything from 1 to
5 at least.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeAlias, TypeVar

SMALLEST: Final = 5
"""The smallest count of people that is shown."""

Shown: TypeAlias = int | Literal["few", "kept"]
"""A count as it is shown: itself; ``few``, from 1 to 4; or ``kept``, a cell that is kept back."""

Name = TypeVar("Name", bound=Hashable)


def lone(count: int, *, ops: bool = False) -> Shown:
    """Return a count that stands in no table."""
    return count if ops or not _is_small(count) else "few"


@dataclass(frozen=True, slots=True)
class Table(Generic[Name]):
    """Cells that make up a total, as they are shown."""

    cells: Mapping[Name, Shown]
    total: Shown

    def sum_of(self, names: Collection[Name]) -> Shown:
        """Return the sum of some cells, where it tells nothing of those kept back.

        It does not when all of those are in it, or none.
        """
        kept = {name for name, shown in self.cells.items() if shown == "kept"}
        if kept <= set(names):
            outside = [shown for name, shown in self.cells.items() if name not in names]
            if not isinstance(self.total, int):
                return self.total
            return self.total - sum(shown for shown in outside if isinstance(shown, int))
        if kept & set(names):
            return "kept"
        return sum(shown for name in names if isinstance(shown := self.cells[name], int))


def protect(counts: Mapping[Name, int], *, ops: bool = False) -> Table[Name]:
    """Return a table whose small cells can't be worked out, even from its exact total."""
    total = sum(counts.values())
    if ops:
        return Table(dict(counts), total)
    kept = {name for name, count in counts.items() if _is_small(count)}
    # The neighbours in the table's own order, whatever their size: the choice must tell nothing.
    neighbours = [name for name, count in counts.items() if count >= SMALLEST]
    while kept and not _safe(kept, counts) and neighbours:
        kept.add(neighbours.pop(0))
    cells: dict[Name, Shown] = {n: "kept" if n in kept else count for n, count in counts.items()}
    if _is_small(total):
        return Table(cells, "few")
    return Table(cells, "kept" if kept and not _safe(kept, counts) else total)


def withhold(table: Table[Name]) -> Table[Name]:
    """Return a table of which nothing is shown but where nobody is."""
    return Table({n: "kept" if shown else 0 for n, shown in table.cells.items()}, "kept")


def _is_small(count: int) -> bool:
    return 0 < count < SMALLEST


def _safe(kept: Collection[Name], counts: Mapping[Name, int]) -> bool:
    """Whether at least two are kept back, and their sum leaves each of them room up to 5."""
    return len(kept) >= 2 and sum(counts[n] for n in kept) >= len(kept) + SMALLEST - 1
