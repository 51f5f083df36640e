"""Compare the fields of a received object with those of its model.

A later version of a producer may send fields that are not known here. They are dropped before
anything is stored, because they may hold anything. A field that is nearly a known one is a mistake,
and dropping it would lose a fact.

Errors::

    NearlyKnown(field)   an unknown field is spelled nearly like a known one
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

from schemas.types import Message, fields_of

_SHORT: Final = 3
"""Up to this length, names differ by one edit too often to mean each other."""


class NearlyKnown(Exception):
    """An unknown field is one edit or one case style away from the known one in ``field``."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def known_fields(model: type[Message], data: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return ``data`` without unknown fields, at any depth, and how many there were.

    A number without a fraction, such as ``30.0``, becomes an integer where the model has one: JSON
    Schema knows no difference.

    Raises:
        NearlyKnown: a field is probably a misspelled one.
    """
    return _known(model, data, "")


def _known(model: type[Message], data: Mapping[str, Any], path: str) -> tuple[dict[str, Any], int]:
    fields = _fields(model)
    kept: dict[str, Any] = {}
    dropped = 0
    for name, value in data.items():
        if name not in fields:
            _refuse_nearly_known(name, fields, path)
            dropped += 1
            continue
        kind = fields[name]
        if kind is int and isinstance(value, float) and value.is_integer():
            kept[name] = int(value)
        elif isinstance(kind, type) and issubclass(kind, Message) and isinstance(value, dict):
            kept[name], more = _known(kind, value, f"{path}{name}.")
            dropped += more
        else:
            kept[name] = value
    return kept, dropped


_KINDS: Final[dict[type[Message], dict[str, Any]]] = {}


def _fields(model: type[Message]) -> dict[str, Any]:
    """Return the type of each field; of an optional one, its type when it is there."""
    kinds = _KINDS.get(model)
    if kinds is None:
        fields = fields_of(model).items()
        kinds = _KINDS[model] = {name: _kind(field.annotation) for name, field in fields}
    return kinds


def _kind(annotation: Any) -> Any:
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return kinds[0] if kinds else annotation


def _refuse_nearly_known(name: str, known: Iterable[str], path: str) -> None:
    for other in known:
        if _plain(name) == _plain(other) or (len(other) > _SHORT and _one_edit(name, other)):
            raise NearlyKnown(f"{path}{other}")


def _plain(name: str) -> str:
    """Return a name in one style: snake, kebab, camel and upper case are the same."""
    return "".join(c for c in name.casefold() if c.isalnum())


def _one_edit(one: str, other: str) -> bool:
    """Return whether names differ by one character inserted, deleted, replaced or swapped."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return True
    a, b = one[start:], other[start:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[1::-1], a[2:]) == (b[:2], b[2:])
