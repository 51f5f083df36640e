"""Find keys that nobody reads in a table of reference data: a misspelt key must not load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

Keys = Mapping[str, Any]
"""Known keys of a table. The content of a key is ``Keys`` if it is a table or a list of tables,
else None. The only key ``*`` stands for every key: such a table maps names to values."""
ANY: str = "*"


def values(*names: str) -> Keys:
    """Return the known keys of a table without inner tables."""
    return dict.fromkeys(names)


def unknown_keys(table: Mapping[str, Any], known: Keys, where: str = "") -> Iterator[str]:
    """Yield a fault for every unknown key at any level, with the nearest known key.

    ``where`` names the table in a fault; an entry of a list is named by its id, if it has one.
    """
    for key, content in table.items():
        if key not in known and ANY not in known:
            near = get_close_matches(key, known, n=1)
            hint = f", did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
            yield f"{where}{': ' if where else ''}unknown key {key!r}{hint}"
            continue
        inner = known[key] if key in known else known[ANY]
        if inner is not None:
            for row in _tables(content):
                parts = (where, key, str(row.get("id", "")))
                yield from unknown_keys(row, inner, " ".join(filter(None, parts)))


def _tables(content: object) -> Iterable[Mapping[str, Any]]:
    rows = content if isinstance(content, list) else [content]
    return [row for row in rows if isinstance(row, Mapping)]
