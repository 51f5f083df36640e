"""Read a message's JSON faster than its model does, where the message has its usual form.

The model is the contract: its validator judges what a reader does not accept. A reader is the same
validator, save that an instant must be in its usual form and is read at less cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import SchemaValidator

from schemas.types import INSTANT_VALIDATOR, LOCAL_TIME, UTC_TIME, Message, local_instant

M = TypeVar("M", bound=Message)


def _instants(pattern: str, read: Callable[[str], datetime]) -> dict[str, Any]:
    """Return the schema of texts that match, read by a function."""
    return {
        "type": "function-after",
        "function": {"type": "no-info", "function": read},
        "schema": {"type": "str", "pattern": f"^{pattern}$"},
    }


_USUAL_INSTANT: Final = {
    "type": "union",
    "mode": "left_to_right",  # of an instant in UTC no Python code of ours runs
    "choices": [
        _instants(UTC_TIME, datetime.fromisoformat),
        _instants(LOCAL_TIME, local_instant),
    ],
}
"""Reads what ``usual_instant`` reads. The patterns keep the years within the bounds of instants."""


def reader(model: type[M]) -> Callable[[bytes | str], M | None]:
    """Return a function that reads the JSON of a message, or returns None: ask the model then.

    None as well if the JSON has an unknown field.
    """
    schema = _with_usual_instants(model.__pydantic_core_schema__)
    with _incomplete(_models(schema)):
        validate = SchemaValidator(schema).validate_json

    def read(text: bytes | str) -> M | None:
        try:
            message: M = validate(text, extra="forbid")
        except ValidationError:
            return None
        return message

    return read


def _with_usual_instants(schema: Any) -> Any:
    """Return a validator's schema in which every instant is read by ``_USUAL_INSTANT``."""
    if isinstance(schema, list):
        return [_with_usual_instants(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    before = schema["function"] if schema.get("type") == "function-before" else {}
    if before.get("function") is INSTANT_VALIDATOR:
        return _USUAL_INSTANT
    return {key: _with_usual_instants(value) for key, value in schema.items() if key != "metadata"}


def _models(schema: Any) -> set[type[Message]]:
    """Return the models in a validator's schema."""
    if isinstance(schema, list):
        return set().union(*(_models(one) for one in schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["cls"]} if schema.get("type") == "dataclass" else set()
    return own.union(*(_models(one) for one in schema.values()))


@contextmanager
def _incomplete(models: set[type[Message]]) -> Iterator[None]:
    """Keep pydantic-core from taking the validators that these models have already."""
    for model in models:
        model.__pydantic_complete__ = False
    try:
        yield
    finally:
        for model in models:
            model.__pydantic_complete__ = True
