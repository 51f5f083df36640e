"""Rows as parameters of a statement: one text for each column, its values joined.

Cheaper than the two usual ways. JSON is parsed once when the server receives it and again when it
makes rows of it, with a hash table for each row. An array of the driver is encoded element by
element, which costs the client four times as much as a text does.

Errors::

    NotAValue   a text can't be sent this way: a bug of ours
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

_SEPARATOR: Final = "\x1f"
"""Between the values of a column. JSON escapes it, and no reference or code may hold it."""


class NotAValue(ValueError):
    """A value holds the separator, so rows would be made of parts of others; or a row has no name,
    and would not arrive if it had nothing else.
    """


class Columns:
    """Names and SQL types of the columns of some rows; the first is never null."""

    def __init__(self, **types: str) -> None:
        self._types = types

    def rows(self, first: int, name: str) -> str:
        """Return what to select from: the rows in the parameters from this one on, under a name.

        ``nth`` is the number of a row.
        """
        columns = (
            f"string_to_array(${number}::text, {_SQL_SEPARATOR}, '')::{type_}[]"
            for number, type_ in enumerate(self._types.values(), start=first)
        )
        names = ", ".join(f'"{one}"' for one in (*self._types, "nth"))
        return f"unnest({', '.join(columns)}) WITH ORDINALITY AS {name} ({names})"

    def __len__(self) -> int:
        """Return how many parameters the rows are."""
        return len(self._types)

    def texts(self, rows: Iterable[Sequence[str]]) -> list[str]:
        """Return the parameters for some rows; an empty text is null.

        Raises:
            NotAValue: a value holds the separator, or one of the first column is empty.
        """
        columns = list(zip(*rows, strict=True))
        if not columns:
            return [""] * len(self)
        between = len(columns[0]) - 1
        texts = list(map(_SEPARATOR.join, columns))
        if any(text.count(_SEPARATOR) != between for text in texts):
            raise NotAValue("a value holds the character U+001F")
        if "" in columns[0]:
            raise NotAValue("a row has no value in its first column")
        return texts


_SQL_SEPARATOR: Final = r"E'\x1f'"
