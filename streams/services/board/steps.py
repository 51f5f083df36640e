"""Show counts in steps of five, so that no small count can be calculated, now or over time.

A count from 1 to 4 may identify a person. To suppress it is not enough: when the cell is shown
later, and one case has moved meanwhile, it was 4 before. So every cell has a secret offset from 0
to 4, always the same, and shows the count plus the offset, rounded down to a multiple of five. A
cell thus moves in steps, and the reader does not know at which count. A total is the sum of what
is shown.

Guarantee: for each table there is another sequence of contents, under other offsets, that shows
the same at every instant and has another count wherever one is small. In it no more cases move
than in the true sequence. So nobody can calculate a small count from any number of readings,
whatever is assumed about the movements between them.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, TypeAlias, TypeVar

SMALLEST: Final = 5
"""Smallest count above 0 that identifies nobody, and the width of a step."""

Shown: TypeAlias = int | Literal["few"]
"""A shown count; ``few`` for a single count above 0 whose step is 0."""

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Table(Generic[Name]):
    """Shown cells."""

    cells: Mapping[Name, int]

    @property
    def total(self) -> int:
        """Return the sum of the shown cells, which says no more than they do."""
        return sum(self.cells.values())

    def sum_of(self, names: Collection[Name]) -> int:
        """Return the sum of some shown cells."""
        return sum(self.cells[name] for name in names)


@dataclass(frozen=True, slots=True)
class Steps:
    """Converts counts to shown ones. Without a key every count is shown as it is."""

    key: bytes | None = field(repr=False)
    """Secret that determines the offsets. A reader who sees one count under many keys can estimate
    it, so the key must stay the same."""

    @property
    def exact(self) -> bool:
        """Whether counts are shown as they are."""
        return self.key is None

    def table(
        self, table: str, counts: Mapping[Name, int], listed: Collection[Name] | None = None
    ) -> Table[Name]:
        """Return the shown cells of a table.

        A cell that is not ``listed`` is left out while 0 is shown for it: that it exists would say
        that its count is not 0. By default all are listed.
        """
        cells = {name: self._step(table, name, count) for name, count in counts.items()}
        return Table({n: c for n, c in cells.items() if c or listed is None or n in listed})

    def count(self, name: str, count: int) -> Shown:
        """Return a single shown count; that it is above 0 is shown too."""
        return self._step("", name, count) or ("few" if count else 0)

    def _step(self, table: str, cell: Hashable, count: int) -> int:
        if self.key is None:
            return count
        return step(count, offset(self.key, table, cell))


def step(count: int, of: int) -> int:
    """Return the multiple of five that is shown for a count under the offset ``of``, 0 to 4."""
    return (count + of) // SMALLEST * SMALLEST


def offset(key: bytes, table: str, cell: Hashable) -> int:
    """Return the offset of a cell: 0 to 4, the same for the same key, table and cell."""
    digest = hmac.digest(key, f"{table}\0{cell!r}".encode(), "sha256")
    return int.from_bytes(digest[:8], "big") % SMALLEST
