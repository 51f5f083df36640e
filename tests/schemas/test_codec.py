"""Decoding an encoded event returns it, in both content modes; equal content has one digest."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import ValidationError

from schemas.codec import Outgoing, decode, digest, encode
from schemas.envelope import JSON, STRUCTURED, Envelope, case_named, write_structured
from schemas.exact_json import canonical
from schemas.types import MAX_VALUE_BYTES
from tests.schemas.examples import (
    CASE_ID,
    EVENT_ID,
    EXAMPLES,
    ORDER,
    SOURCE,
    TIME,
    TYPES,
    binary,
    decoded,
    envelope,
    event,
    structured,
)


@pytest.mark.parametrize("write", [binary, structured])
@pytest.mark.parametrize("name", TYPES)
def test_a_decoded_record_equals_the_encoded_event(name: str, write: Any) -> None:
    event_read = decoded(write(name))
    assert (event_read.event_id, event_read.case_id, event_read.type) == (EVENT_ID, CASE_ID, name)
    assert (event_read.source, event_read.time) == (SOURCE, TIME)
    assert event_read.event == event(name)
    assert orjson.loads(event_read.payload) == EXAMPLES[name]


@pytest.mark.parametrize("name", TYPES)
def test_an_encoded_model_decodes_to_the_same_model(name: str) -> None:
    record = encode(event(name), event_id=EVENT_ID, case_id=CASE_ID, source=SOURCE, time=TIME)
    assert record.topic == name
    assert record.key == CASE_ID.encode()
    assert decoded(record).event == event(name)


@pytest.mark.parametrize("name", TYPES)
def test_both_content_modes_of_an_event_have_the_same_digest(name: str) -> None:
    one, other = decoded(binary(name)), decoded(structured(name))
    assert one == other
    assert len(one.digest) == 32


def test_key_order_and_white_space_do_not_change_the_digest() -> None:
    record = binary()
    reordered = orjson.dumps(dict(reversed(EXAMPLES[ORDER].items())), option=orjson.OPT_INDENT_2)
    other = Outgoing(record.topic, record.key, reordered, record.headers)
    assert decoded(other).digest == decoded(record).digest


def test_one_instant_in_two_time_zones_has_the_same_digest() -> None:
    zone = timezone(timedelta(hours=1))
    payload = canonical(EXAMPLES[ORDER])
    assert digest(ORDER, CASE_ID, TIME.astimezone(zone), payload) == digest(
        ORDER, CASE_ID, TIME, payload
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"type_": "icam.appointment-missed.v1"},
        {"case_id": "case-0002"},
        {"time": TIME + timedelta(microseconds=1)},
        {"payload": b"{}"},
    ],
)
def test_different_content_has_a_different_digest(changed: dict[str, Any]) -> None:
    known: dict[str, Any] = {
        "type_": ORDER,
        "case_id": CASE_ID,
        "time": TIME,
        "payload": canonical(EXAMPLES[ORDER]),
    }
    assert digest(**{**known, **changed}) != digest(**known)


@pytest.mark.parametrize("write", [binary, structured])
def test_unknown_fields_are_counted_and_dropped_at_every_depth(write: Any) -> None:
    household = {**EXAMPLES[ORDER]["household"], "surnames": ["x"]}
    extra = {"later_field": {"nested": [1, 2.5, None, "é"]}, "remark": "\\u0000"}
    event_read = decoded(write(ORDER, **extra, household=household))
    assert event_read.event == event(ORDER)
    assert event_read.unknown == 3
    assert event_read._replace(unknown=0) == decoded(binary())


def test_unknown_attributes_and_headers_are_ignored() -> None:
    record = binary()
    headers = (*record.headers, ("ce_traceparent", b"00-1"), ("x-anything", None), ("", b"\xff"))
    assert decode(record.topic, record.key, record.value, headers) == decoded(record)


def test_structured_mode_ignores_attributes_in_headers() -> None:
    record = structured()
    headers = (*record.headers, ("ce_id", b"another"), ("ce_subject", b"another"))
    assert decode(record.topic, record.key, record.value, headers) == decoded(record)


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"Application/JSON; charset=utf-8",
        b" application/json ",
    ],
)
def test_case_and_parameters_of_a_media_type_are_ignored(content_type: bytes) -> None:
    record = binary()
    headers = [h for h in record.headers if h[0] != "content-type"]
    for sent in (headers, [*headers, ("Content-Type", content_type)]):
        assert decode(record.topic, record.key, record.value, sent) == decoded(record)


def test_structured_mode_accepts_a_media_type_with_parameters() -> None:
    record = structured()
    headers = [("content-type", f"{STRUCTURED}; charset=UTF-8".encode())]
    assert decode(record.topic, record.key, record.value, headers) == decoded(record)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-02T08:00:00Z", TIME),
        ("2026-03-02T09:00:00+01:00", TIME),
        ("2026-03-02T08:00:00.000001Z", TIME + timedelta(microseconds=1)),
        ("1990-01-01T00:00:00Z", datetime(1990, 1, 1, tzinfo=UTC)),
        ("2099-12-31T23:59:59Z", datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-03-02t08:00:00.1234567z", TIME + timedelta(microseconds=123_456)),
    ],
)
def test_times_are_accepted_in_any_time_zone_and_returned_in_utc(
    text: str, instant: datetime
) -> None:
    record = binary()
    headers = [(n, text.encode() if n == "ce_time" else v) for n, v in record.headers]
    event_read = decode(record.topic, record.key, record.value, headers)
    assert event_read.time == instant
    assert event_read.time.tzinfo is UTC


def test_a_value_of_exactly_the_size_limit_is_accepted() -> None:
    record = binary()
    padding = MAX_VALUE_BYTES - len(record.value)
    value = record.value + b" " * padding
    assert decode(record.topic, record.key, value, record.headers) == decoded(record)


def test_encoding_a_mapping_without_its_type_fails() -> None:
    with pytest.raises(TypeError, match="type_"):
        encode({}, event_id=EVENT_ID, case_id=CASE_ID, source=SOURCE, time=TIME)


@pytest.mark.parametrize(
    "changed",
    [
        {"case_id": "85073003328"},
        {"case_id": "short"},
        {"source": "a name with spaces"},
        {"time": TIME.replace(tzinfo=None)},
    ],
)
def test_encoding_fails_for_attributes_that_decoding_would_refuse(changed: dict[str, Any]) -> None:
    known: dict[str, Any] = {
        "event_id": EVENT_ID,
        "case_id": CASE_ID,
        "source": SOURCE,
        "time": TIME,
    }
    with pytest.raises(ValidationError):
        encode(event(ORDER), **{**known, **changed})


def test_binary_mode_has_the_cloudevents_headers() -> None:
    assert dict(binary().headers) == {
        "ce_specversion": b"1.0",
        "ce_id": str(EVENT_ID).encode(),
        "ce_source": SOURCE.encode(),
        "ce_type": ORDER.encode(),
        "ce_time": b"2026-03-02T08:00:00+00:00",
        "ce_subject": CASE_ID.encode(),
        "content-type": JSON.encode(),
    }


def test_structured_mode_states_the_media_type_of_its_data() -> None:
    body = orjson.loads(write_structured(envelope(ORDER), EXAMPLES[ORDER]))
    assert body["datacontenttype"] == JSON
    assert body["data"] == EXAMPLES[ORDER]


@pytest.mark.parametrize(
    ("key", "case_id"),
    [
        (None, None),
        (b"case-0001", "case-0001"),
        (b"\xff\xfe", None),
        (b"85073003328", None),
        (b"case-0001\n", None),
        (b"", None),
    ],
)
def test_a_rejected_record_names_the_case_of_its_key(
    key: bytes | None, case_id: str | None
) -> None:
    assert case_named(key) == case_id


def test_an_envelope_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        envelope(ORDER).id = UUID(int=0)  # type: ignore[misc]
    assert isinstance(envelope(ORDER), Envelope)
