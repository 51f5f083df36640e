"""What of a table of counts may be shown to anyone, so that no small count can be worked out.

A count from 1 to 4 may point at a person. It is kept back, and where a total less what is shown
would tell it, the next larger count with it, so that those kept back are not all alike. 0 is shown,
for nobody is in it, unless the total is small itself: four cells that make up to 4 hold 1 each.

Guarantee: whoever knows the exact total, and this rule, can't tell what any small cell holds: any
two cells kept back could have each other's count, and the same would be shown.
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


def suppress(count: int, *, ops: bool = False) -> Shown:
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
    if _is_small(total):
        return Table(dict.fromkeys(counts, "kept"), "few")
    up_to = _threshold(set(counts.values()) - {0})
    cells: dict[Name, Shown] = {n: "kept" if 0 < c <= up_to else c for n, c in counts.items()}
    alike = len({count for count in counts.values() if 0 < count <= up_to}) == 1
    return Table(cells, "kept" if alike else total)


def withhold(table: Table[Name]) -> Table[Name]:
    """Return a table of which nothing is shown but where nobody is."""
    return Table({n: "kept" if shown else 0 for n, shown in table.cells.items()}, "kept")


def _is_small(count: int) -> bool:
    return 0 < count < SMALLEST


def _threshold(found: Collection[int]) -> int:
    """Return up to which count cells are kept back; 0 where all may be shown."""
    small = {count for count in found if _is_small(count)}
    if len(small) != 1:
        return max(small, default=0)
    return min(set(found) - small, default=max(small))
