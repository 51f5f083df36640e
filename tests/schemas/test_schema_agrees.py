"""The exported JSON Schemas and the codec accept the same data: each judges what the other made.

Two differences are documented in docs/messages.md: JSON Schema can't count check digits, and it
allows unknown fields that are misspelled. ``format`` must be asserted.
"""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import given as forall
from hypothesis import strategies as st

from schemas import national_number
from schemas.codec import decode, encode
from schemas.events import EVENT_TYPES
from schemas.export import documents
from schemas.rejected import Rejected
from tests.schemas.examples import CASE_ID, EVENT_ID, EXAMPLES, ORDER, SOURCE, TYPES

LATEST = datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)
"""A time that no past fact of a generated event is later than, by more than its offset."""


def is_date_time(text: object) -> bool:
    if isinstance(text, str):
        datetime.fromisoformat(text[:10])
    return True


FORMATS = jsonschema.FormatChecker(formats=())
FORMATS.checkers["date-time"] = (is_date_time, ValueError)


def strict(node: Any) -> Any:
    """Return a schema without unknown fields, whose patterns mean the same in Python as in ECMA.

    In Python ``$`` matches before a line feed too.
    """
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: strict(value) for key, value in node.items()}
    if isinstance(made.get("pattern"), str):
        made["pattern"] = made["pattern"].removesuffix("$") + r"\Z"
    if made.get("type") == "object" and "properties" in made:
        made["additionalProperties"] = False
    return made


@cache
def schema(name: str) -> dict[str, Any]:
    made: dict[str, Any] = strict(json.loads(documents()[f"{name}.json"]))
    return made


@cache
def of_type(name: str) -> st.SearchStrategy[Any]:
    return written(schema(name), schema(name)["$defs"])


def schema_accepts(name: str, data: object) -> bool:
    validator = jsonschema.Draft202012Validator(schema(name), format_checker=FORMATS)
    return bool(validator.is_valid(data))


def codec_accepts(name: str, data: dict[str, Any]) -> bool:
    record = encode(
        data, event_id=EVENT_ID, case_id=CASE_ID, source=SOURCE, time=LATEST, type_=name
    )
    try:
        decoded = decode(name, record.key, record.value, record.headers)
    except Rejected:
        return False
    # What is stored is read again without leniency.
    assert EVENT_TYPES[name].read_json(decoded.payload, extra="forbid") == decoded.event
    return True


def written(node: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return what a schema describes; the rules that join fields are left to a filter."""
    if "$ref" in node:
        return written(defs[node["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in node:
        return st.one_of([written(choice, defs) for choice in node["anyOf"]])
    if "enum" in node:
        return st.sampled_from(node["enum"])
    match node["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            whole = st.integers(node["minimum"], node.get("maximum", 2**31 - 1))
            return whole | whole.map(float)
        case "string":
            return st.from_regex(node["pattern"], fullmatch=True)
        case "object":
            fields = {name: written(field, defs) for name, field in node["properties"].items()}
            needed = {name: fields.pop(name) for name in node["required"]}
            return st.fixed_dictionaries(needed, optional=fields)
    raise AssertionError(f"no generator for {node}")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@forall(st.sampled_from(TYPES).flatmap(lambda name: st.tuples(st.just(name), of_type(name))))
def test_both_judge_what_the_schema_describes_alike(made: tuple[str, dict[str, Any]]) -> None:
    name, data = made
    assume(not national_number.contains(json.dumps(data)))
    assert codec_accepts(name, data) == schema_accepts(name, data)


def places(data: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path of every field."""
    found = []
    for name, value in data.items():
        found.append((*path, name))
        if isinstance(value, dict):
            found += places(value, (*path, name))
    return found


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-100, 2000)
    | st.floats(-100, 100)
    | st.integers(-2, 40).map(float)
    | st.text(max_size=5)
    | st.sampled_from(
        [
            *("2026-03-02T08:00:00", "2026-03-02", "1772438400", "2026-02-30T08:00:00Z"),
            *("2026-03-02T08:00:00z", "2026-03-02t08:00:00.1234567Z", "2026-03-02 08:00:00Z"),
            *("1990-01-01T00:00:00+05:00", "1989-12-31T23:59:59Z", "2099-12-31T23:59:59-05:00"),
            *("2100-01-01T00:00:00Z", "2026-03-02T08:00:60Z", "2026-03-02T24:00:00Z"),
            *("2026-03-02T08:00:00+24:00", "2026-03-02T08:00:00+0100", "2026-03-02T08:00Z"),
            *("order-1\n", "9000", "ends", "begins", "done", "postponed", "single", "nl", "13"),
        ]
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)


@settings(max_examples=400, deadline=None)
@forall(st.sampled_from(TYPES), st.data())
def test_both_judge_a_changed_example_alike(name: str, data: st.DataObject) -> None:
    changed = deepcopy(EXAMPLES[name])
    *path, field = data.draw(st.sampled_from(places(changed)))
    inside = changed
    for step in path:
        inside = inside[step]
    if data.draw(st.booleans()):
        inside[field] = data.draw(JSON)
    else:
        del inside[field]
    text = orjson.dumps(changed)
    assume("\\u0000" not in text.decode())
    read = orjson.loads(text)
    known = schema_accepts(name, read)
    assert codec_accepts(name, read) == known or has_unknown(name, read)


def has_unknown(name: str, data: dict[str, Any]) -> bool:
    validator = jsonschema.Draft202012Validator(schema(name), format_checker=FORMATS)
    return any(e.validator == "additionalProperties" for e in validator.iter_errors(data))


@pytest.mark.parametrize("days", [b"30.0", b"3e1", b"30.00", b"300e-1", b"-0.0"])
def test_a_number_without_a_fraction_is_an_integer(days: bytes) -> None:
    example = {**EXAMPLES[ORDER], "departure_term_days": float(days)}
    assert schema_accepts(ORDER, example)
    assert codec_accepts(ORDER, example)


@pytest.mark.parametrize("days", [30.5, 31.0, -1.0, "30", True, None])
def test_any_other_value_is_none(days: object) -> None:
    example = {**EXAMPLES[ORDER], "departure_term_days": days}
    assert not schema_accepts(ORDER, example)
    assert not codec_accepts(ORDER, example)
