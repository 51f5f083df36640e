"""TOML tables read strictly: every figure has a source and a date, and no key is left unread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Any, TypeVar

from streams.simulate.dice import Weighted

T = TypeVar("T")


class FiguresError(ValueError):
    """The figures can't be used. The message names the figure and what was expected."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where one figure comes from: its path in the file, a source key, the date it speaks of."""

    path: str
    source: str
    as_of: date


class Section:
    """One table of the file. Close it by ``done``, so that a misspelt key is an error."""

    def __init__(
        self, path: str, table: Any, as_of: date, provenance: list[Provenance] | None = None
    ) -> None:
        if not isinstance(table, dict):
            raise FiguresError(f"{path}: expected a table")
        self._path = path
        self._left: dict[str, Any] = dict(table)
        self._as_of = as_of
        self.provenance: list[Provenance] = [] if provenance is None else provenance

    def has(self, key: str) -> bool:
        """Whether an optional key is there and not yet read."""
        return key in self._left

    def plain(self, key: str) -> Any:
        """Return a value that is a name and not a figure, so has no source."""
        if key not in self._left:
            raise FiguresError(f"{self._name(key)}: missing")
        return self._left.pop(key)

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
        """Return a figure's value, keeping its provenance."""
        figure = Section(self._name(key), self.plain(key), self._as_of, self.provenance)
        value, source = figure.plain("value"), figure.plain("source")
        as_of = figure.plain("as_of") if figure.has("as_of") else self._as_of
        figure.done()
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
        """Return a text."""
        value = self.value(key)
        if not isinstance(value, str):
            raise FiguresError(f"{self._name(key)}: expected a text, found {value!r}")
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
        """Return a closed list with weights; ``item`` turns a key of the file into an item."""
        value = self.value(key)
        if not isinstance(value, Mapping) or not value:
            raise FiguresError(f"{self._name(key)}: expected a table of weights")
        pairs: list[tuple[T, float]] = []
        for name, weight in value.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight > 0:
                raise FiguresError(f"{self._name(key)}.{name}: expected a weight above 0")
            pairs.append((as_item(f"{self._name(key)}.{name}", name, item), float(weight)))
        return Weighted.of(pairs)

    def done(self) -> None:
        """Refuse keys that nothing read."""
        if self._left:
            raise FiguresError(f"{self._path or 'file'}: unknown {', '.join(sorted(self._left))}")

    def _name(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def as_item(path: str, name: object, item: Callable[[str], T]) -> T:
    """Return ``item(name)``, with the path of the figure in the error."""
    try:
        return item(str(name))
    except ValueError as error:
        raise FiguresError(f"{path}: {error}") from None


def _pair(path: str, value: Any) -> tuple[int, int]:
    match value:
        case [int() as low, int() as high] if low <= high:
            return low, high
    raise FiguresError(f"{path}: expected two ascending whole numbers, found {value!r}")
