"""What an earlier commit can say: the fields that its own JSON Schemas have.

The contract only grows, so an earlier commit is compared with what is wanted of it: every field
that it knows. What it publishes is not changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.bench.published import Message, Messages


@dataclass(frozen=True)
class Contract:
    """The JSON Schemas of one commit, by CloudEvents type."""

    schemas: Mapping[str, Any]

    @classmethod
    def of(cls, root: Path) -> Contract:
        """Return the contract in the files of a commit."""
        found = (root / "schemas" / "json").glob("icam.*.json")
        return cls({file.stem: orjson.loads(file.read_bytes()) for file in found})

    def known(self, wanted: Messages) -> Messages:
        """Return messages without the fields that this contract does not have."""
        return {stream: [self._known(one) for one in of] for stream, of in wanted.items()}

    def _known(self, message: Message) -> Message:
        type_ = dict(message.headers)["ce_type"].decode()
        schema = self.schemas.get(type_)
        if schema is None:
            return message
        said = orjson.loads(message.value)
        return message._replace(value=orjson.dumps(_known(said, schema, schema.get("$defs", {}))))


def _known(said: Any, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    options = [_resolved(one, defs) for one in schema.get("anyOf", [schema])]
    if isinstance(said, dict):
        fields = next((one["properties"] for one in options if "properties" in one), None)
        if fields is None:
            return said
        return {n: _known(value, fields[n], defs) for n, value in said.items() if n in fields}
    if isinstance(said, list):
        items: Mapping[str, Any] = next((one["items"] for one in options if "items" in one), {})
        return [_known(one, items, defs) for one in said]
    return said


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = defs[name] if name else schema
    return found
