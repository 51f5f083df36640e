"""The exported documents describe the models, and the committed files are up to date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from schemas.events import EVENT_TYPES, INPUT_TOPICS, FollowUpState
from schemas.export import ASYNCAPI, documents, write
from schemas.outcomes import OUTCOME_TYPES, OUTPUT_TOPICS, CaseRouted, EscalationRaised, body
from streams.domain.decision import Announced
from tests.domain import given
from tests.schemas.examples import CASE_ID, EXAMPLES, TYPES, binary

COMMITTED = Path(__file__).parents[2] / "schemas" / "json"
DOCUMENTS = documents()
NAMES = [*EVENT_TYPES, *OUTCOME_TYPES]
ASYNC: dict[str, Any] = json.loads(DOCUMENTS[ASYNCAPI])


def schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DOCUMENTS[f"{name}.json"])
    return document


def accepts(name: str, body: object) -> bool:
    return bool(jsonschema.Draft202012Validator(schema(name)).is_valid(body))


def test_the_committed_files_match_the_models() -> None:
    """To fix a failure, run ``make schemas``."""
    committed = {path.name: path.read_bytes() for path in COMMITTED.iterdir()}
    assert committed == DOCUMENTS


def test_write_creates_every_document(tmp_path: Path) -> None:
    paths = write(tmp_path / "new" / "folder")
    assert {path.name: path.read_bytes() for path in paths} == DOCUMENTS


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_documents_are_sorted_and_end_with_a_newline(name: str) -> None:
    text = DOCUMENTS[name].decode()
    sorted_text = json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False)
    assert text == f"{sorted_text}\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid_and_states_its_id(name: str) -> None:
    document = schema(name)
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"] == f"urn:icam:schema:{name}"
    assert document["title"]
    assert document["description"]


def properties(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        for name, content in node.get("properties", {}).items():
            yield f"{path}/{name}", content
        for name, content in node.items():
            if name != "allOf":  # the rules that join fields
                yield from properties(content, f"{path}/{name}")
    elif isinstance(node, list):
        for content in node:
            yield from properties(content, path)


@pytest.mark.parametrize("name", NAMES)
def test_every_property_is_described(name: str) -> None:
    document = schema(name)
    described = 0
    for path, content in properties(document):
        if "description" not in content:  # pydantic omits a description that equals the type's
            target = document["$defs"][content["$ref"].rpartition("/")[2]]
            assert target["description"], path
        described += 1
    assert described >= 4


@pytest.mark.parametrize("name", TYPES)
def test_no_two_fields_have_the_same_description(name: str) -> None:
    texts = [c["description"] for c in schema(name)["properties"].values() if "description" in c]
    assert len(set(texts)) == len(texts)


def keywords(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, content in node.items():
            yield key
            if key not in ("properties", "$defs"):
                yield from keywords(content)
            else:
                for inner in content.values():
                    yield from keywords(inner)
    elif isinstance(node, list):
        for content in node:
            yield from keywords(content)


@pytest.mark.parametrize("name", NAMES)
def test_only_json_schema_keywords_are_used(name: str) -> None:
    known = {
        *("$comment", "$defs", "$id", "$ref", "$schema", "anyOf", "const", "default"),
        *("description", "enum", "format", "items", "maximum", "minimum", "pattern"),
        *("properties", "required", "title", "type"),
        *("additionalProperties", "allOf", "if", "not", "then"),
    }
    assert set(keywords(schema(name))) <= known


@pytest.mark.parametrize("name", TYPES)
def test_the_schema_accepts_what_the_codec_accepts(name: str) -> None:
    assert accepts(name, orjson.loads(binary(name).value))
    assert accepts(name, {**EXAMPLES[name], "later_field": 1})


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("icam.oqt-issued.v1", {"order_id": "85073003328"}),
        ("icam.oqt-issued.v1", {"departure_term_days": 31}),
        ("icam.oqt-issued.v1", {"residence_postcode": "85073003328"}),
        ("icam.oqt-issued.v1", {"language": "en"}),
        ("icam.appointment-missed.v1", {"sequence": 0}),
        ("icam.interview-completed.v1", {"conclusion": "deported"}),
        ("icam.circumstance-changed.v1", {"circumstance": None}),
    ],
)
def test_the_schema_refuses_what_the_codec_refuses(name: str, changed: dict[str, Any]) -> None:
    assert not accepts(name, {**EXAMPLES[name], **changed})


def test_the_schemas_accept_published_outcomes() -> None:
    facts = [given.order(), given.miss(1)]
    first = given.decide(facts, given.day(5))
    known = given.applied(Announced(), first)
    ended = [*facts, given.ended(given.day(6))]
    second = given.decide(ended, given.day(7), known)
    known = given.applied(known, second)
    reopened = given.ended(given.day(8), state=FollowUpState.REOPENED)
    third = given.decide([*ended, reopened], given.day(9), known)
    by_model = {model: name for name, (_, model) in OUTCOME_TYPES.items()}
    seen = set()
    for outcome in (o for decision in (first, second, third) for o in given.outcomes(decision)):
        name = by_model[type(outcome)]
        assert accepts(name, json.loads(outcome.to_json()))
        seen.add(name)
    assert seen == {*OUTCOME_TYPES}


def test_every_field_of_an_outcome_is_required_but_the_flags_of_a_routing() -> None:
    flags = {"office_full", "skills_missing", "candidates"}
    for name, (_, model) in OUTCOME_TYPES.items():
        document = schema(name)
        optional = flags if model is CaseRouted else set[str]()
        assert {*document["properties"]} - {*document["required"]} == optional


def test_an_escalation_of_an_earlier_version_fits_the_schema_and_the_model() -> None:
    raised = next(iter(given.standing([given.order(), given.miss(1)], given.day(5)).values()))
    assert raised.evidence.change is not None
    said = json.loads(body(raised))
    del said["evidence"]["change"]
    assert accepts("icam.escalation-raised.v1", said)
    earlier = EscalationRaised.read_json(json.dumps(said))
    assert earlier.evidence.change is None
    assert json.loads(body(earlier)) == said


def test_the_asyncapi_document_has_every_topic_and_message() -> None:
    assert ASYNC["asyncapi"] == "3.0.0"
    assert {c["address"] for c in ASYNC["channels"].values()} == {*INPUT_TOPICS, *OUTPUT_TOPICS}
    carried = {topic: set(channel["messages"]) for topic, channel in ASYNC["channels"].items()}
    assert carried == {topic: {topic} for topic in INPUT_TOPICS} | {
        topic: {name for name, (on, _) in OUTCOME_TYPES.items() if on == topic}
        for topic in OUTPUT_TOPICS
    }
    actions = {topic: operation["action"] for topic, operation in ASYNC["operations"].items()}
    assert actions == dict.fromkeys(INPUT_TOPICS, "receive") | dict.fromkeys(OUTPUT_TOPICS, "send")


def refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for content in node.values():
            yield from refs(content)
    elif isinstance(node, list):
        for content in node:
            yield from refs(content)


def test_every_reference_in_the_asyncapi_document_resolves() -> None:
    for ref in refs(ASYNC):
        if ref.startswith("./"):
            assert ref.removeprefix("./") in DOCUMENTS
        else:
            node: Any = ASYNC
            for step in ref.removeprefix("#/").split("/"):
                node = node[step]


@pytest.mark.parametrize("name", NAMES)
def test_a_message_describes_its_headers_and_its_key(name: str) -> None:
    message = ASYNC["components"]["messages"][name]
    validator = jsonschema.Draft202012Validator(message["headers"])
    example = binary("icam.oqt-issued.v1")
    headers = {n: v.decode() for n, v in example.headers} | {"ce_type": name}
    assert validator.is_valid(headers)
    assert set(headers) == set(message["headers"]["properties"])
    for header in headers:
        without = {n: v for n, v in headers.items() if n != header}
        assert validator.is_valid(without) is (header == "content-type")
    assert not validator.is_valid({**headers, "ce_type": "another"})
    assert not validator.is_valid({**headers, "ce_subject": "85073003328"})
    assert all(h["description"] for h in message["headers"]["properties"].values())
    key = message["bindings"]["kafka"]["key"]
    assert jsonschema.Draft202012Validator(key).is_valid(CASE_ID)
    assert message["payload"]["schema"] == {"$ref": f"./{name}.json"}
