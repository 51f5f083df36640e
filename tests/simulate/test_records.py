"""Every valid record: decodes, comes back unchanged, keeps to the published JSON Schema."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.codec import decode
from schemas.envelope import STRUCTURED
from schemas.events import EVENT_TYPES
from streams.simulate.dice import Dice
from streams.simulate.flaws import not_quite_a_national_number
from streams.simulate.stream import Kind, Planned, SimulationSettings


def valid(records: Sequence[Planned]) -> list[Planned]:
    return [planned for planned in records if planned.kind is Kind.VALID]


def is_structured(planned: Planned) -> bool:
    return planned.record.headers == (("content-type", STRUCTURED.encode()),)


def test_valid_records_decode_and_come_back_unchanged(records: Sequence[Planned]) -> None:
    ids = set()
    for planned in valid(records):
        record = planned.record
        decoded = decode(record.topic, record.key, record.value, record.headers)
        assert decoded.case_id == planned.case_id == record.key.decode()
        assert decoded.time <= planned.at
        assert decoded.source.startswith("/be/")
        again = json.loads(decoded.event.model_dump_json())
        assert again == json.loads(decoded.payload)
        ids.add(decoded.event_id)
    assert len(ids) == len(valid(records))


def test_valid_records_keep_to_the_json_schema(records: Sequence[Planned]) -> None:
    checkers = {
        name: Draft202012Validator(model.model_json_schema()) for name, model in EVENT_TYPES.items()
    }
    seen = Counter[str]()
    for planned in valid(records):
        record = planned.record
        body = json.loads(record.value)
        data = body["data"] if is_structured(planned) else body
        errors = [error.message for error in checkers[record.topic].iter_errors(data)]
        assert errors == []
        seen[record.topic] += 1
    assert min(seen[name] for name in EVENT_TYPES) > 100


def test_a_share_of_the_records_is_in_structured_mode(
    records: Sequence[Planned], settings: SimulationSettings
) -> None:
    share = sum(map(is_structured, valid(records))) / len(valid(records))
    assert share == pytest.approx(settings.structured, abs=0.015)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    else:
        yield str(value)


def could_be_a_national_number(digits: str) -> bool:
    """Whether eleven digits have check digits that fit a birth before 2000, or from 2000 on."""
    nine, check = digits[:9], int(digits[9:])
    return any(97 - int(prefix + nine) % 97 == check for prefix in ("", "2"))


def suspicious(text: str) -> list[str]:
    """Return eleven-digit runs in a text, separators ignored, that pass the check."""
    bare = re.sub("[^0-9A-Za-z]", "", text)
    runs = re.findall("(?=([0-9]{11}))", bare)
    return [run for run in runs if could_be_a_national_number(run)]


def test_the_scan_for_national_numbers_sees_them() -> None:
    # Examples of python-stdnum, one of each century.
    assert suspicious("id 85.07.30-033.28")
    assert suspicious("x17073003384")


def test_made_up_numbers_are_nobodys() -> None:
    dice = Dice(1, "test")
    numbers = [not_quite_a_national_number(dice) for _ in range(2000)]
    assert all(len(number) == 11 and number.isdecimal() for number in numbers)
    assert [number for number in numbers if suspicious(number)] == []


def test_nothing_could_be_taken_for_a_national_number(records: Sequence[Planned]) -> None:
    for planned in records:
        record = planned.record
        found = [planned.case_id, record.key.decode()]
        found += [text.decode() for _, text in record.headers]
        try:
            found += texts(json.loads(record.value))
        except ValueError:
            found += re.findall('"([^"]*)"', record.value.decode())
        assert [text for text in found if suspicious(text)] == []
