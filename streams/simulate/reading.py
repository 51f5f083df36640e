"""Read TOML tables strictly: every figure has a source and a date, and every key is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Any, TypeVar

from streams.simulate.dice import Weighted

T = TypeVar("T")


class FiguresError(ValueError):
    """The figures are invalid. The message names the figure and what was expected."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of one figure: its path in the file, its source key, the date it refers to."""

    path: str
    source: str
    as_of: date


class Section:
    """One table of the file. Call ``close`` at the end, so that unknown keys are errors."""

    def __init__(
        self, path: str, table: Any, as_of: date, provenance: list[Provenance] | None = None
    ) -> None:
        if not isinstance(table, dict):
            raise FiguresError(f"{path}: expected a table")
        self._path = path
        self._unread: dict[str, Any] = dict(table)
        self._as_of = as_of
        self.provenance: list[Provenance] = [] if provenance is None else provenance

    def has(self, key: str) -> bool:
        """Return whether an optional key exists and was not yet read."""
        return key in self._unread

    def plain(self, key: str) -> Any:
        """Return a value that is a name rather than a figure, and has no source."""
        if key not in self._unread:
            raise FiguresError(f"{self._name(key)}: missing")
        return self._unread.pop(key)

    def section(self, key: str) -> Section:
        """Return the table under a key."""
        return Section(self._name(key), self.plain(key), self._as_of, self.provenance)

    def sections(self, key: str) -> Iterator[Section]:
        """Yield the tables of an array of tables."""
        found = self.plain(key)
        if not isinstance(found, list) or not found:
            raise FiguresError(f"{self._name(key)}: expected [[{key}]] tables")
        for count, table in enumerate(found):
            yield Section(f"{self._name(key)}[{count}]", table, self._as_of, self.provenance)

    def value(self, key: str) -> Any:
        """Return the value of a figure and record its provenance."""
        figure = Section(self._name(key), self.plain(key), self._as_of, self.provenance)
        value, source = figure.plain("value"), figure.plain("source")
        as_of = figure.plain("as_of") if figure.has("as_of") else self._as_of
        figure.close()
        if not isinstance(source, str) or not source:
            raise FiguresError(f"{self._name(key)}: source must be a key or 'inferred'")
        if not isinstance(as_of, date):
            raise FiguresError(f"{self._name(key)}: as_of must be a date")
        self.provenance.append(Provenance(self._name(key), source, as_of))
        return value

    def number(self, key: str, low: float = 0.0, high: float = float("inf")) -> float:
        """Return a finite number from ``low`` to ``high``."""
        value = self.value(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise FiguresError(f"{self._name(key)}: expected a number, found {value!r}")
        if not low <= value <= high:
            raise FiguresError(f"{self._name(key)}: {value} is not from {low} to {high}")
        return float(value)

    def share(self, key: str) -> float:
        """Return a share, 0 to 1."""
        return self.number(key, 0.0, 1.0)

    def whole(self, key: str, low: int = 0) -> int:
        """Return a whole number, at least ``low``."""
        value = self.number(key, low)
        if value != int(value):
            raise FiguresError(f"{self._name(key)}: {value} is not a whole number")
        return int(value)

    def text(self, key: str) -> str:
        """Return a string."""
        value = self.value(key)
        if not isinstance(value, str):
            raise FiguresError(f"{self._name(key)}: expected a string, found {value!r}")
        return value

    def span(self, key: str) -> tuple[int, int]:
        """Return two whole numbers, the second not below the first."""
        return _pair(self._name(key), self.value(key))

    def spans(self, key: str) -> tuple[tuple[int, int], ...]:
        """Return pairs of whole numbers."""
        value = self.value(key)
        if not isinstance(value, list) or not value:
            raise FiguresError(f"{self._name(key)}: expected a list of pairs")
        return tuple(_pair(self._name(key), pair) for pair in value)

    def weights(self, key: str, item: Callable[[str], T]) -> Weighted[T]:
        """Return items with weights; ``item`` converts a key of the file into an item."""
        value = self.value(key)
        if not isinstance(value, Mapping) or not value:
            raise FiguresError(f"{self._name(key)}: expected a table of weights")
        pairs: list[tuple[T, float]] = []
        for name, weight in value.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight > 0:
                raise FiguresError(f"{self._name(key)}.{name}: expected a weight above 0")
            pairs.append((as_item(f"{self._name(key)}.{name}", name, item), float(weight)))
        return Weighted.of(pairs)

    def close(self) -> None:
        """Raise FiguresError if a key was not read."""
        if self._unread:
            raise FiguresError(f"{self._path or 'file'}: unknown {', '.join(sorted(self._unread))}")

    def _name(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def as_item(path: str, name: object, item: Callable[[str], T]) -> T:
    """Return ``item(name)``; name the figure in the error."""
    try:
        return item(str(name))
    except ValueError as error:
        raise FiguresError(f"{path}: {error}") from None


def _pair(path: str, value: Any) -> tuple[int, int]:
    match value:
        case [int() as low, int() as high] if low <= high:
            return low, high
    raise FiguresError(f"{path}: expected two ascending whole numbers, found {value!r}")
