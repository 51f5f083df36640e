"""Suppress small counts, so that no small count can be read or calculated from what is shown.

A count from 1 to 4 may identify a person, so it is suppressed. If the total minus the shown cells
would reveal it, the next larger count is suppressed too, so that the suppressed cells do not all
have the same count. A count of 0 is shown, because it concerns no person. It is suppressed if the
total itself is small: four cells above 0 that add up to 4 hold 1 each.

Guarantee: a reader who knows the exact total and this rule cannot calculate any small cell. Any two
suppressed cells could be swapped without changing what is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeAlias, TypeVar

SMALLEST: Final = 5
"""Smallest count above 0 that is shown."""

Shown: TypeAlias = int | Literal["few", "kept"]
"""A shown count: the number itself; ``few``, from 1 to 4; or ``kept``, a suppressed cell."""

Name = TypeVar("Name", bound=Hashable)


def suppress_count(count: int, *, ops: bool = False) -> Shown:
    """Suppress a single count that is not part of a table. ``ops`` shows every count."""
    return count if ops or not _is_small(count) else "few"


@dataclass(frozen=True, slots=True)
class Table(Generic[Name]):
    """Shown cells and their shown total."""

    cells: Mapping[Name, Shown]
    total: Shown

    def sum_of(self, names: Collection[Name]) -> Shown:
        """Return the sum of some cells, or ``kept`` if it would reveal a suppressed cell.

        The sum reveals nothing if it includes all suppressed cells or none of them.
        """
        suppressed = {name for name, shown in self.cells.items() if shown == "kept"}
        if suppressed <= set(names):
            outside = [shown for name, shown in self.cells.items() if name not in names]
            if not isinstance(self.total, int):
                return self.total
            return self.total - sum(shown for shown in outside if isinstance(shown, int))
        if suppressed & set(names):
            return "kept"
        return sum(shown for name in names if isinstance(shown := self.cells[name], int))


def suppress_table(counts: Mapping[Name, int], *, ops: bool = False) -> Table[Name]:
    """Suppress cells so that no small cell can be calculated, even from the exact total.

    ``ops`` shows every count.
    """
    total = sum(counts.values())
    if ops:
        return Table(dict(counts), total)
    if _is_small(total):
        return Table(dict.fromkeys(counts, "kept"), "few")
    threshold = _threshold(set(counts.values()) - {0})
    cells: dict[Name, Shown] = {n: "kept" if 0 < c <= threshold else c for n, c in counts.items()}
    all_equal = len({count for count in counts.values() if 0 < count <= threshold}) == 1
    return Table(cells, "kept" if all_equal else total)


def suppress_all(table: Table[Name]) -> Table[Name]:
    """Suppress the total and every cell except those that are 0."""
    return Table({n: "kept" if shown else 0 for n, shown in table.cells.items()}, "kept")


def _is_small(count: int) -> bool:
    return 0 < count < SMALLEST


def _threshold(counts: Collection[int]) -> int:
    """Return the largest count to suppress; 0 if all may be shown."""
    small = {count for count in counts if _is_small(count)}
    if len(small) != 1:
        return max(small, default=0)
    return min(set(counts) - small, default=max(small))
