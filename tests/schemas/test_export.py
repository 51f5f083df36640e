"""The exported documents say what the models hold, and the committed files are theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from schemas.events import EVENT_TYPES, INPUT_TOPICS, Review
from schemas.export import ASYNCAPI, documents, write
from schemas.outcomes import OUTCOME_TYPES, OUTPUT_TOPICS
from streams.domain.decide import Announced
from tests.domain import given
from tests.schemas.examples import CASE_ID, EXAMPLES, TYPES, binary

COMMITTED = Path(__file__).parents[2] / "schemas" / "json"
DOCUMENTS = documents()
NAMES = [*EVENT_TYPES, *OUTCOME_TYPES]
ASYNC: dict[str, Any] = json.loads(DOCUMENTS[ASYNCAPI])


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DOCUMENTS[f"{name}.json"])
    return found


def accepts(name: str, body: object) -> bool:
    return bool(jsonschema.Draft202012Validator(schema(name)).is_valid(body))


def test_the_committed_files_are_those_of_the_models() -> None:
    """Mend with: make schemas"""
    committed = {path.name: path.read_bytes() for path in COMMITTED.iterdir()}
    assert committed == DOCUMENTS


def test_writing_gives_the_documents(tmp_path: Path) -> None:
    paths = write(tmp_path / "new" / "folder")
    assert {path.name: path.read_bytes() for path in paths} == DOCUMENTS


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_documents_are_sorted_and_end_with_a_newline(name: str) -> None:
    text = DOCUMENTS[name].decode()
    again = json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False)
    assert text == f"{again}\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_names_itself(name: str) -> None:
    found = schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"] == f"urn:icam:schema:{name}"
    assert found["title"]
    assert found["description"]


def properties(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        for name, content in node.get("properties", {}).items():
            yield f"{path}/{name}", content
        for name, content in node.items():
            yield from properties(content, f"{path}/{name}")
    elif isinstance(node, list):
        for content in node:
            yield from properties(content, path)


@pytest.mark.parametrize("name", NAMES)
def test_every_property_is_described(name: str) -> None:
    found = schema(name)
    described = 0
    for path, content in properties(found):
        if "description" not in content:  # pydantic leaves out one that equals the type's
            target = found["$defs"][content["$ref"].rpartition("/")[2]]
            assert target["description"], path
        described += 1
    assert described >= 5


@pytest.mark.parametrize("name", TYPES)
def test_a_field_is_described_as_itself_and_not_as_its_type(name: str) -> None:
    texts = [c["description"] for c in schema(name)["properties"].values() if "description" in c]
    assert len(set(texts)) == len(texts)


def words(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, content in node.items():
            yield key
            if key not in ("properties", "$defs"):
                yield from words(content)
            else:
                for inner in content.values():
                    yield from words(inner)
    elif isinstance(node, list):
        for content in node:
            yield from words(content)


@pytest.mark.parametrize("name", NAMES)
def test_only_words_of_json_schema_are_used(name: str) -> None:
    known = {
        *("$comment", "$defs", "$id", "$ref", "$schema", "anyOf", "const", "default"),
        *("description", "enum", "format", "items", "maximum", "minimum", "pattern"),
        *("properties", "required", "title", "type"),
    }
    assert set(words(schema(name))) <= known


@pytest.mark.parametrize("name", TYPES)
def test_the_schema_accepts_what_the_codec_accepts(name: str) -> None:
    assert accepts(name, orjson.loads(binary(name).value))
    assert accepts(name, {**EXAMPLES[name], "later_field": 1})


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("icam.oqt-issued.v1", {"order_id": "85073003328"}),
        ("icam.oqt-issued.v1", {"departure_term_days": 31}),
        ("icam.oqt-issued.v1", {"residence_postcode": "0999"}),
        ("icam.oqt-issued.v1", {"language": "en"}),
        ("icam.appointment-missed.v1", {"sequence": 0}),
        ("icam.interview-completed.v1", {"conclusion": "deported"}),
        ("icam.circumstance-changed.v1", {"circumstance": None}),
    ],
)
def test_the_schema_refuses_what_the_codec_refuses(name: str, changed: dict[str, Any]) -> None:
    assert not accepts(name, {**EXAMPLES[name], **changed})


def test_the_schemas_accept_what_is_announced() -> None:
    facts = [given.order(), given.miss(1), given.miss(2), given.miss(3)]
    first = given.decide(facts, given.LATER)
    second = given.decide(
        [*facts, given.miss(1, review=Review.ACCEPTED, said=given.LATER)],
        given.LATER,
        given.applied(Announced(), first),
    )
    by_model = {model: name for name, (_, model) in OUTCOME_TYPES.items()}
    seen = set()
    for outcome in (*given.outcomes(first), *given.outcomes(second)):
        name = by_model[type(outcome)]
        assert accepts(name, json.loads(outcome.model_dump_json()))
        seen.add(name)
    assert seen == {*OUTCOME_TYPES}


def test_what_is_announced_always_has_all_its_fields() -> None:
    for name in OUTCOME_TYPES:
        found = schema(name)
        assert {*found["required"]} == {*found["properties"]}


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


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    for ref in refs(ASYNC):
        if ref.startswith("./"):
            assert ref.removeprefix("./") in DOCUMENTS
        else:
            node: Any = ASYNC
            for step in ref.removeprefix("#/").split("/"):
                node = node[step]


@pytest.mark.parametrize("name", NAMES)
def test_a_message_says_its_headers_and_its_key(name: str) -> None:
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
