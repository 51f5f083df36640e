"""What is written is read, in both content modes, and equal content has one digest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import ValidationError

from schemas.codec import Outgoing, decode, digest, encode
from schemas.envelope import JSON, STRUCTURED, Envelope, canonical, cases_named, write_structured
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
def test_an_event_makes_the_round_trip(name: str, write: Any) -> None:
    found = decoded(write(name))
    assert (found.event_id, found.case_id, found.type) == (EVENT_ID, CASE_ID, name)
    assert (found.source, found.time) == (SOURCE, TIME)
    assert found.event == event(name)
    assert orjson.loads(found.payload) == EXAMPLES[name]


@pytest.mark.parametrize("name", TYPES)
def test_a_model_makes_the_round_trip(name: str) -> None:
    record = encode(event(name), event_id=EVENT_ID, case_id=CASE_ID, source=SOURCE, time=TIME)
    assert record.topic == name
    assert record.key == CASE_ID.encode()
    assert decoded(record).event == event(name)


@pytest.mark.parametrize("name", TYPES)
def test_both_modes_of_one_event_have_one_digest(name: str) -> None:
    one, other = decoded(binary(name)), decoded(structured(name))
    assert one == other
    assert len(one.digest) == 32


def test_the_order_of_keys_and_white_space_do_not_matter() -> None:
    record = binary()
    turned = orjson.dumps(dict(reversed(EXAMPLES[ORDER].items())), option=orjson.OPT_INDENT_2)
    again = Outgoing(record.topic, record.key, turned, record.headers)
    assert decoded(again).digest == decoded(record).digest


def test_one_instant_in_two_zones_has_one_digest() -> None:
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
def test_other_content_has_another_digest(changed: dict[str, Any]) -> None:
    known: dict[str, Any] = {
        "type_": ORDER,
        "case_id": CASE_ID,
        "time": TIME,
        "payload": canonical(EXAMPLES[ORDER]),
    }
    assert digest(**{**known, **changed}) != digest(**known)


@pytest.mark.parametrize("write", [binary, structured])
def test_fields_not_known_here_are_tolerated_and_kept(write: Any) -> None:
    extra = {"later_field": {"nested": [1, 2.5, None, "é"]}, "another": True}
    found = decoded(write(ORDER, **extra))
    assert found.event == event(ORDER)
    assert orjson.loads(found.payload) == {**EXAMPLES[ORDER], **extra}
    assert found.digest != decoded(binary()).digest


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "\\", "\\\\\\", "\t\n\x01\x7f", "'é€😀"])
def test_any_text_that_postgresql_can_hold_is_kept(text: str) -> None:
    assert orjson.loads(decoded(binary(remark=text)).payload)["remark"] == text


def test_attributes_and_headers_not_known_here_are_passed_over() -> None:
    record = binary()
    headers = (*record.headers, ("ce_traceparent", b"00-1"), ("x-anything", None), ("", b"\xff"))
    assert decode(record.topic, record.key, record.value, headers) == decoded(record)


def test_structured_mode_passes_over_attributes_in_headers() -> None:
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
def test_media_types_are_compared_without_case_and_parameters(content_type: bytes) -> None:
    record = binary()
    headers = [h for h in record.headers if h[0] != "content-type"]
    for sent in (headers, [*headers, ("Content-Type", content_type)]):
        assert decode(record.topic, record.key, record.value, sent) == decoded(record)


def test_a_structured_type_with_parameters_is_read() -> None:
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
        ("2100-01-01T00:00:00Z", datetime(2100, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_read_whatever_their_zone(text: str, instant: datetime) -> None:
    record = binary()
    headers = [(n, text.encode() if n == "ce_time" else v) for n, v in record.headers]
    found = decode(record.topic, record.key, record.value, headers)
    assert found.time == instant
    assert found.time.tzinfo is UTC


def test_a_value_of_the_largest_size_is_read() -> None:
    record = binary()
    room = MAX_VALUE_BYTES - len(record.value)
    value = record.value + b" " * room
    assert decode(record.topic, record.key, value, record.headers) == decoded(record)


def test_a_mapping_is_written_with_its_type_or_not_at_all() -> None:
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
def test_what_would_be_refused_is_not_written(changed: dict[str, Any]) -> None:
    known: dict[str, Any] = {
        "event_id": EVENT_ID,
        "case_id": CASE_ID,
        "source": SOURCE,
        "time": TIME,
    }
    with pytest.raises(ValidationError):
        encode(event(ORDER), **{**known, **changed})


def test_the_headers_are_those_of_cloudevents() -> None:
    assert dict(binary().headers) == {
        "ce_specversion": b"1.0",
        "ce_id": str(EVENT_ID).encode(),
        "ce_source": SOURCE.encode(),
        "ce_type": ORDER.encode(),
        "ce_time": b"2026-03-02T08:00:00+00:00",
        "ce_subject": CASE_ID.encode(),
        "content-type": JSON.encode(),
    }


def test_structured_mode_says_what_its_data_are() -> None:
    body = orjson.loads(write_structured(envelope(ORDER), EXAMPLES[ORDER]))
    assert body["datacontenttype"] == JSON
    assert body["data"] == EXAMPLES[ORDER]


@pytest.mark.parametrize(
    ("key", "headers", "subject", "cases"),
    [
        (None, [], None, ()),
        (b"case-0001", [], None, ("case-0001",)),
        (b"case-0001", [("ce_subject", b"case-0002")], None, ("case-0001", "case-0002")),
        (b"case-0001", [("ce_subject", b"case-0001")], "case-0001", ("case-0001",)),
        (b"\xff\xfe", [("ce_subject", None)], "case-0003", ("case-0003",)),
        (b"85073003328", [("ce_subject", b"")], None, ()),
        (b"case-0001\n", [], None, ()),
    ],
)
def test_a_broken_record_points_at_every_case_it_names(
    key: bytes | None,
    headers: list[tuple[str, bytes | None]],
    subject: str | None,
    cases: tuple[str, ...],
) -> None:
    assert cases_named(key, headers, subject) == cases


def test_an_envelope_can_not_be_changed() -> None:
    with pytest.raises(ValidationError):
        envelope(ORDER).id = UUID(int=0)  # type: ignore[misc]
    assert isinstance(envelope(ORDER), Envelope)
