"""Every valid record decodes, round-trips, and matches the published JSON Schema."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from schemas.codec import decode
from schemas.envelope import STRUCTURED
from schemas.events import EVENT_TYPES
from streams.simulate.dice import Dice
from streams.simulate.flaws import invalid_national_number
from streams.simulate.stream import Kind, Planned, SimulationSettings

pytestmark = pytest.mark.slow


def valid(records: Sequence[Planned]) -> list[Planned]:
    return [planned for planned in records if planned.kind is Kind.VALID]


def is_structured(planned: Planned) -> bool:
    return planned.record.headers == (("content-type", STRUCTURED.encode()),)


def test_valid_records_decode_and_serialise_to_the_same_content(records: Sequence[Planned]) -> None:
    ids = set()
    for planned in valid(records):
        record = planned.record
        at = planned.at
        decoded = decode(record.topic, record.key, record.value, record.headers, at, timedelta())
        assert decoded.case_id == planned.case_id == record.key.decode()
        assert decoded.time <= planned.at
        assert decoded.source.startswith("/be/")
        serialised = json.loads(decoded.event.to_json())
        assert serialised == json.loads(decoded.payload)
        ids.add(decoded.event_id)
    assert len(ids) == len(valid(records))


def test_valid_records_match_the_json_schema(records: Sequence[Planned]) -> None:
    validators = {
        name: Draft202012Validator(TypeAdapter(model).json_schema())
        for name, model in EVENT_TYPES.items()
    }
    seen = Counter[str]()
    for planned in valid(records):
        record = planned.record
        body = json.loads(record.value)
        data = body["data"] if is_structured(planned) else body
        errors = [error.message for error in validators[record.topic].iter_errors(data)]
        assert errors == []
        seen[record.topic] += 1
    assert min(seen[name] for name in EVENT_TYPES) > 100


def test_a_share_of_the_records_is_in_structured_mode(
    records: Sequence[Planned], settings: SimulationSettings
) -> None:
    share = sum(map(is_structured, valid(records))) / len(valid(records))
    assert share == pytest.approx(settings.structured, abs=0.015)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    else:
        yield str(value)


def has_valid_check_digits(digits: str) -> bool:
    """Return whether the check digits are valid for a birth before 2000, or from 2000 on."""
    first_nine, check = digits[:9], int(digits[9:])
    return any(97 - int(prefix + first_nine) % 97 == check for prefix in ("", "2"))


def possible_national_numbers(text: str) -> list[str]:
    """Return the eleven-digit sequences in a text that pass the check; separators are ignored."""
    without_separators = re.sub("[^0-9A-Za-z]", "", text)
    runs = re.findall("(?=([0-9]{11}))", without_separators)
    return [run for run in runs if has_valid_check_digits(run)]


def test_the_scan_detects_national_numbers() -> None:
    # Examples from python-stdnum, one of each century.
    assert possible_national_numbers("id 85.07.30-033.28")
    assert possible_national_numbers("x17073003384")


def test_simulated_national_numbers_fail_the_check() -> None:
    dice = Dice(1, "test")
    numbers = [invalid_national_number(dice) for _ in range(2000)]
    assert all(len(number) == 11 and number.isdecimal() for number in numbers)
    assert [number for number in numbers if possible_national_numbers(number)] == []


def test_no_record_contains_a_valid_national_number(records: Sequence[Planned]) -> None:
    for planned in records:
        record = planned.record
        texts = [planned.case_id, record.key.decode()]
        texts += [text.decode() for _, text in record.headers]
        try:
            texts += strings(json.loads(record.value))
        except ValueError:
            texts += re.findall('"([^"]*)"', record.value.decode())
        assert [text for text in texts if possible_national_numbers(text)] == []
