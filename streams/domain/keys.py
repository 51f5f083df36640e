"""Find keys that nobody reads in a table of reference data: a misspelt key must not load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any


def unknown_keys(
    table: Mapping[str, Any], known: Mapping[str, Sequence[str] | None]
) -> Iterator[str]:
    """Yield a fault for every unknown key of a parsed TOML file, with the nearest known key.

    ``known`` has the keys of the file, of each of its tables and of the rows of its arrays. The
    keys of a table that maps names to values are None: they are data.
    """
    yield from _unknown("", table, list(known))
    for name, content in table.items():
        keys = known.get(name)
        if keys is None:
            continue
        rows = content if isinstance(content, list) else [content]
        for row in rows:
            if isinstance(row, Mapping):
                yield from _unknown(f"{name} {row.get('id', '')}".strip(), row, keys)


def _unknown(where: str, row: Mapping[str, Any], keys: Sequence[str]) -> Iterator[str]:
    for key in row:
        if key not in keys:
            near = get_close_matches(key, keys, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            prefix = f"{where}: " if where else ""
            yield f"{prefix}unknown key {key!r}{hint}"
