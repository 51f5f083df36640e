"""Export the message contract: one JSON Schema per type and one AsyncAPI document.

The AsyncAPI document has events and outcomes. Checkpoints are for auditors, not for subscribers.

Input events are described as the codec accepts them, outcomes as the pipeline writes them: a field
with a default is optional in an event and always present in an outcome, except for the flags of a
routing, which are written only if they are set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from schemas.checkpoints import CHECKPOINT_TYPE, HEADS_TYPE, Checkpoint, CheckpointHeads
from schemas.envelope import JSON, STRUCTURED
from schemas.events import EVENT_TYPES
from schemas.outcomes import OUTCOME_TYPES
from schemas.types import MAX_VALUE_BYTES, CaseId, Instant, Message

ASYNCAPI: Final = "asyncapi.json"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_KEY: Final = "The case id, equal to ce_subject: a case stays on one partition, in order."


def documents() -> dict[str, bytes]:
    """Return file name to JSON text, with sorted keys, indented, and a newline at the end."""
    schemas = {f"{name}.json": _schema(name, model, "validation") for name, model in _events()}
    schemas |= {
        f"{name}.json": _schema(name, model, "serialization")
        for name, model in (*_outcomes(), *_checkpoints())
    }
    schemas[ASYNCAPI] = _asyncapi()
    return {name: _text(schemas[name]) for name in sorted(schemas)}


def write(folder: Path) -> list[Path]:
    """Write all documents into a folder and return their paths. Create the folder if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in documents().items():
        path = folder / name
        path.write_bytes(text)
        paths.append(path)
    return paths


def _events() -> list[tuple[str, type[Message]]]:
    return list(EVENT_TYPES.items())


def _outcomes() -> list[tuple[str, type[Message]]]:
    return [(name, model) for name, (_, model) in OUTCOME_TYPES.items()]


def _checkpoints() -> list[tuple[str, type[Message]]]:
    return [(HEADS_TYPE, CheckpointHeads), (CHECKPOINT_TYPE, Checkpoint)]


def _text(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _schema(
    name: str, model: type[Message], mode: Literal["validation", "serialization"]
) -> dict[str, Any]:
    schema = _standard(TypeAdapter(model).json_schema(mode=mode))
    return {**schema, "$schema": _DIALECT, "$id": f"urn:icam:schema:{name}"}


def _standard(node: Any) -> Any:
    """Remove pydantic's bounds on times: ``ge`` and ``le`` are not JSON Schema keywords."""
    if isinstance(node, list):
        return [_standard(item) for item in node]
    if not isinstance(node, dict):
        return node
    timed = node.get("format") == "date-time"
    return {
        key: _standard(value) for key, value in node.items() if not (timed and key in ("ge", "le"))
    }


def _asyncapi() -> dict[str, Any]:
    topics = {name: name for name in EVENT_TYPES}
    topics |= {name: topic for name, (topic, _) in OUTCOME_TYPES.items()}
    models = dict([*_events(), *_outcomes()])
    channels: dict[str, Any] = {}
    for name, topic in topics.items():
        channel = channels.setdefault(topic, {"address": topic, "messages": {}})
        channel["messages"][name] = {"$ref": f"#/components/messages/{name}"}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "ICAM return-counselling follow-up",
            "version": "1.0.0",
            "description": (
                "Events that upstream systems publish about a case, and the outcomes that the"
                " pipeline publishes: routings and proposed escalations, on which a person decides."
                " Events are CloudEvents 1.0 over Kafka. This document describes binary mode; input"
                f" topics also accept structured mode ({STRUCTURED}), with the same attributes"
                " and 'data'."
                f" A value is at most {MAX_VALUE_BYTES} bytes."
            ),
        },
        "defaultContentType": JSON,
        "channels": channels,
        "operations": {
            topic: {
                "action": "receive" if topic in EVENT_TYPES else "send",
                "channel": {"$ref": f"#/channels/{topic}"},
            }
            for topic in channels
        },
        "components": {
            "messages": {name: _message(name, model) for name, model in models.items()},
        },
    }


def _message(name: str, model: type[Message]) -> dict[str, Any]:
    return {
        "name": name,
        "title": model.__name__,
        "summary": (model.__doc__ or "").partition("\n")[0],
        "contentType": JSON,
        "headers": _headers(name),
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./{name}.json"},
        },
        "bindings": {
            "kafka": {
                "key": {**_type_schema(CaseId), "description": _KEY},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _headers(name: str) -> dict[str, Any]:
    properties: dict[str, dict[str, Any]] = {
        "ce_specversion": {"const": "1.0", "description": "Version of CloudEvents."},
        "ce_id": {
            "type": "string",
            "format": "uuid",
            "description": "Unique across all producers; consumers use it to detect duplicates.",
        },
        "ce_source": {
            "type": "string",
            "description": "The publishing system: a URI reference of 1 to 200 characters.",
        },
        "ce_type": {
            "const": name,
            "description": "Message type; it determines the payload's schema.",
        },
        "ce_time": {
            **_type_schema(Instant),
            "description": "When the source stated it; the latest version of a fact is valid.",
        },
        "ce_subject": {
            **_type_schema(CaseId),
            "description": "The case id, equal to the record's key.",
        },
        "content-type": {"const": JSON, "description": "Media type of the value."},
    }
    for schema in properties.values():
        schema["type"] = "string"
    return {
        "type": "object",
        "properties": properties,
        "required": [attribute for attribute in properties if attribute.startswith("ce_")],
    }


def _type_schema(kind: Any) -> dict[str, Any]:
    schema: dict[str, Any] = _standard(TypeAdapter(kind).json_schema())
    return schema
