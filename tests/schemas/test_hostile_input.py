"""Any record is either decoded as an event or rejected for the right reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import example
from hypothesis import given as forall
from hypothesis import strategies as st

from schemas.codec import Decoded, Outgoing, decode
from schemas.envelope import STRUCTURED
from schemas.events import INPUT_TOPICS
from schemas.rejected import Reason, Rejected
from schemas.types import MAX_VALUE_BYTES
from tests.schemas.examples import (
    CASE_ID,
    EXAMPLES,
    ORDER,
    TYPES,
    binary,
    decoded,
    structured,
)

MISSED, CIRCUMSTANCE = "icam.appointment-missed.v1", "icam.circumstance-changed.v1"
NATIONAL_NUMBER = "85073003328"


def rejected(record: Outgoing, *, key: bytes | None = b"", value: bytes | None = b"") -> Rejected:
    """Return the rejection of a record, with the key or value replaced if given."""
    with pytest.raises(Rejected) as caught:
        decode(
            record.topic,
            record.key if key == b"" else key,
            record.value if value == b"" else value,
            record.headers,
        )
    return caught.value


def with_header(record: Outgoing, name: str, value: bytes | None) -> Outgoing:
    headers: Any = tuple((n, value if n == name else v) for n, v in record.headers)
    return Outgoing(record.topic, record.key, record.value, headers)


def without_header(record: Outgoing, name: str) -> Outgoing:
    headers = tuple((n, v) for n, v in record.headers if n != name)
    return Outgoing(record.topic, record.key, record.value, headers)


def with_attribute(name: str, value: object) -> Outgoing:
    """Return the structured record with one attribute replaced."""
    record = structured()
    body = {**orjson.loads(record.value), name: value}
    return Outgoing(record.topic, record.key, orjson.dumps(body), record.headers)


def with_extra_field(text: str) -> bytes:
    """Return the example's JSON with an extra field whose value is exactly ``text``."""
    return binary().value[:-1] + f', "extra": {text}}}'.encode()


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (None, "tombstone"),
        (b" ", "empty"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xff{}", "UTF-8 from byte 0"),
        (b'{"a": "Jos\xe9"}', "UTF-8 from byte 10"),
        (binary().value.decode().encode("utf-16"), "UTF-16"),
        (binary().value.decode().encode("utf-16-be"), "UTF-16"),
        (binary().value.decode().encode("utf-16-le"), "UTF-16"),
        (binary().value.decode().encode("utf-32"), "UTF-16 or UTF-32"),
        (b"\x00", "UTF-16"),
        (binary().value[:-1], "not JSON: expecting"),
        (binary().value * 2, "not JSON: extra data"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"1", "not a JSON object"),
    ],
)
def test_a_value_that_is_not_a_json_object_is_undecodable(value: bytes | None, detail: str) -> None:
    for record in (binary(), structured()):
        rejection = rejected(record, value=value)
        assert rejection.reason is Reason.UNDECODABLE
        assert detail in rejection.detail


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ('{"a": 1, "a": 1}', "repeated"),
        ('1, "order_id": "order-1"', "repeated"),
        ('{"\\u0061": 1, "a": 1}', "repeated"),
        ("NaN", "NaN"),
        ("Infinity", "NaN"),
        ("-Infinity", "NaN"),
        ("1e999", "64 bits"),
        ("-1e999", "64 bits"),
        ("18446744073709551616", "exact"),
        ("-9223372036854775809", "exact"),
        ("9" * 5_000, "64 bits"),
        ("[" * 10_000 + "]" * 10_000, "deeply"),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, "deeply"),
        ("[" * 400 + "]" * 400, "exact"),
        ('"\\ud800"', "exact"),
        ('{"\\udfff": 1}', "exact"),
        ('"\\u0000"', "NUL"),
        ('{"\\u0000": 1}', "NUL"),
        ('"\\\\\\u0000"', "NUL"),
        ('["deep", {"er": "a\\u0000b"}]', "NUL"),
    ],
    ids=range(20),
)
def test_content_without_an_exact_json_form_is_undecodable(text: str, detail: str) -> None:
    other = structured()
    parts = other.value.partition(b'"data":')
    other_value = parts[0] + parts[1] + with_extra_field(text) + b"}"
    for record, value in ((binary(), with_extra_field(text)), (other, other_value)):
        rejection = rejected(record, value=value)
        assert rejection.reason is Reason.UNDECODABLE
        assert detail in rejection.detail


@pytest.mark.parametrize(
    "text", ['"\\\\u0000"', '"\\\\\\\\u0000"', '"u0000"', '"\\\\\\\\\\\\u0000"']
)
def test_an_escaped_backslash_before_u0000_is_not_a_nul_character(text: str) -> None:
    record = binary()
    event = decode(record.topic, record.key, with_extra_field(text), record.headers)
    assert event == decoded(record)._replace(unknown=1)


def test_an_empty_value_is_undecodable() -> None:
    record = binary()
    with pytest.raises(Rejected) as caught:
        decode(record.topic, record.key, b"", record.headers)
    assert caught.value.reason is Reason.UNDECODABLE


def test_an_oversized_value_is_rejected_before_parsing() -> None:
    rejection = rejected(binary(), value=b"{" * (MAX_VALUE_BYTES + 1))
    assert rejection.reason is Reason.OVERSIZED


@pytest.mark.parametrize(
    "name", ["ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_specversion"]
)
def test_a_missing_null_repeated_too_long_or_non_utf_8_header_is_rejected(name: str) -> None:
    record = binary()
    repeated = Outgoing(record.topic, record.key, record.value, (*record.headers, (name, b"again")))
    broken = [
        repeated,
        without_header(record, name),
        with_header(record, name, None),
        with_header(record, name, b""),
        with_header(record, name, b"x" * 1_025),
        with_header(record, name, b"\xff"),
        with_header(record, name, b"two words"),
    ]
    assert {rejected(one).reason for one in broken} == {Reason.ENVELOPE}


def test_a_record_with_too_many_headers_is_rejected() -> None:
    record = binary()
    headers = (*record.headers, *(("x", b"") for _ in range(100)))
    with pytest.raises(Rejected, match="headers"):
        decode(record.topic, record.key, record.value, headers)


def test_a_record_without_headers_is_rejected() -> None:
    record = Outgoing(ORDER, CASE_ID.encode(), binary().value, ())
    assert rejected(record).reason is Reason.ENVELOPE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_specversion", b"2.0"),
        ("ce_id", b"1"),
        ("ce_id", b"not-a-uuid"),
        ("ce_source", b"line\nbreak"),
        ("ce_source", b"x" * 201),
        ("ce_time", b"2026-03-02T08:00:00"),
        ("ce_time", b"2026-03-02"),
        ("ce_time", b"1772438400"),
        ("ce_time", b"1772438400.5"),
        ("ce_time", b"1989-12-31T23:59:59Z"),
        ("ce_time", b"2100-01-01T00:00:01Z"),
        ("ce_time", b"0001-01-01T00:00:00+23:59"),
        ("ce_time", b"9999-12-31T23:59:59-23:59"),
        ("ce_time", b"2026-02-30T00:00:00Z"),
        ("ce_time", b"T"),
        ("ce_subject", NATIONAL_NUMBER.encode()),
        ("ce_subject", b"85.07.30-033.28"),
        ("ce_subject", b"case"),
        ("ce_subject", b"case-0001\n"),
        ("ce_subject", "case-é0001".encode()),
        ("content-type", b"text/plain"),
        ("content-type", b"application/cloudevents-batch+json"),
        ("content-type", None),
    ],
)
def test_an_attribute_outside_the_profile_is_rejected(name: str, value: bytes | None) -> None:
    assert rejected(with_header(binary(), name, value)).reason is Reason.ENVELOPE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", None),
        ("data", []),
        ("data", "e30="),
        ("data", 1),
        ("id", None),
        ("id", 7),
        ("id", ["6f1f3b2e-7f4b-4d0e-9f5e-000000000001"]),
        ("time", 1772438400),
        ("time", {"seconds": 1}),
        ("subject", NATIONAL_NUMBER),
        ("subject", int(NATIONAL_NUMBER)),
        ("source", None),
        ("type", None),
        ("type", 1),
        ("datacontenttype", "text/xml"),
        ("datacontenttype", {"a": 1}),
        ("specversion", 1.0),
        ("specversion", None),
    ],
)
def test_a_structured_attribute_outside_the_profile_is_rejected(name: str, value: object) -> None:
    assert rejected(with_attribute(name, value)).reason is Reason.ENVELOPE


@pytest.mark.parametrize("key", [None, b" ", b"case-0002", b"CASE-0001", b"\xff"])
def test_a_key_that_differs_from_the_subject_is_rejected(key: bytes | None) -> None:
    for record in (binary(), structured()):
        rejection = rejected(record, key=key)
        assert (rejection.reason, rejection.subject) == (Reason.WRONG_KEY, CASE_ID)


@pytest.mark.parametrize("topic", [MISSED, "icam.case-routed.v1", "", "icam.oqt-issued.v2"])
def test_a_type_on_the_wrong_topic_is_rejected(topic: str) -> None:
    record = binary()
    rejection = rejected(Outgoing(topic, record.key, record.value, record.headers))
    assert (rejection.reason, rejection.subject) == (Reason.WRONG_TOPIC, CASE_ID)


@pytest.mark.parametrize(
    ("type_", "reason"),
    [
        ("icam.oqt-issued.v2", Reason.UNKNOWN_VERSION),
        ("icam.oqt-issued.v0", Reason.UNKNOWN_VERSION),
        ("icam.oqt-issued.v10", Reason.UNKNOWN_VERSION),
        ("icam.oqt-issued", Reason.UNKNOWN_TYPE),
        ("icam.oqt-issued.v1.v1", Reason.UNKNOWN_TYPE),
        ("icam.oqt-revoked.v1", Reason.UNKNOWN_TYPE),
        ("icam.escalation-raised.v1", Reason.UNKNOWN_TYPE),
        ("com.example.order", Reason.UNKNOWN_TYPE),
    ],
)
def test_an_unknown_type_or_version_is_rejected(type_: str, reason: Reason) -> None:
    for record in (
        with_header(binary(), "ce_type", type_.encode()),
        with_attribute("type", type_),
    ):
        rejection = rejected(record)
        assert (rejection.reason, rejection.subject) == (reason, CASE_ID)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        (ORDER, {"order_id": NATIONAL_NUMBER}),
        (ORDER, {"order_id": "85.07.30-033.28"}),
        (ORDER, {"order_id": int(NATIONAL_NUMBER)}),
        (ORDER, {"order_id": "abc"}),
        (ORDER, {"order_id": "a" * 65}),
        (ORDER, {"order_id": "order-1\n"}),
        (ORDER, {"order_id": None}),
        (ORDER, {"annex": "14"}),
        (ORDER, {"annex": 13}),
        (ORDER, {"notified_at": "2026-03-02T09:00:00"}),
        (ORDER, {"notified_at": "1772438400"}),
        (ORDER, {"notified_at": 1772438400}),
        (ORDER, {"notified_at": "1989-12-31T23:59:59Z"}),
        (ORDER, {"notified_at": "2100-01-02T00:00:00Z"}),
        (ORDER, {"notification": {"channel": "commune"}}),
        (ORDER, {"notification": {"channel": "commune", "proven": "yes"}}),
        (ORDER, {"notification": {"channel": "commune", "proven": 1}}),
        (ORDER, {"departure_term_days": 31}),
        (ORDER, {"departure_term_days": -1}),
        (ORDER, {"departure_term_days": "30"}),
        (ORDER, {"departure_term_days": 7.5}),
        (ORDER, {"departure_term_days": True}),
        (ORDER, {"departure_term_reason": None}),
        (ORDER, {"residence_postcode": NATIONAL_NUMBER}),
        (ORDER, {"residence_postcode": "850730-03328"}),
        (ORDER, {"residence_postcode": "85.07.30-033.28"}),
        (ORDER, {"interception_postcode": NATIONAL_NUMBER}),
        (ORDER, {"residence_postcode": "Kerkstraat"}),
        (ORDER, {"residence_postcode": "KERKSTRAAT 12"}),
        (ORDER, {"residence_postcode": "9000 Gent"}),
        (ORDER, {"residence_postcode": "9"}),
        (ORDER, {"residence_postcode": ""}),
        (ORDER, {"residence_postcode": " 9000"}),
        (ORDER, {"residence_postcode": "9000\n"}),
        (ORDER, {"residence_postcode": 9000}),
        (ORDER, {"residence_postcode": "٩٠٠٠"}),
        (ORDER, {"household": {"kind": "single", "minors": 1}}),
        (ORDER, {"household": {"kind": "family_with_minors", "minors": 0}}),
        (ORDER, {"household": {"kind": "family_with_minors", "minors": 21}}),
        (ORDER, {"language": "en"}),
        (ORDER, {"interpreter_language": "Tigrinya"}),
        (MISSED, {"appointment_id": NATIONAL_NUMBER}),
        (MISSED, {"sequence": 0}),
        (MISSED, {"office_id": "Gent"}),
        (MISSED, {"justification": "none"}),
        (MISSED, {"invitation": None}),
        (CIRCUMSTANCE, {"circumstance": "tired"}),
        (CIRCUMSTANCE, {"reference": NATIONAL_NUMBER}),
        (CIRCUMSTANCE, {"state": "pauses"}),
    ],
)
def test_data_that_violates_the_schema_are_rejected(name: str, changed: dict[str, Any]) -> None:
    for record in (binary(name, **changed), structured(name, **changed)):
        rejection = rejected(record)
        assert (rejection.reason, rejection.subject) == (Reason.SCHEMA, CASE_ID)


@pytest.mark.parametrize("code", ["75001", "NL-1234", "1234 AB", "SW1A 1AA", "0999", "L-2132"])
@pytest.mark.parametrize("field", ["residence_postcode", "interception_postcode"])
def test_a_postcode_of_another_country_does_not_reject_the_order(field: str, code: str) -> None:
    record = binary(ORDER, **{field: code})
    decoded = decode(ORDER, record.key, record.value, record.headers)
    assert getattr(decoded.event, field) == code


@pytest.mark.parametrize("name", TYPES)
def test_an_event_without_a_required_field_is_rejected(name: str) -> None:
    record = binary(name)
    for field, content in EXAMPLES[name].items():
        if content is None or field in ("interpreter_language", "residence_postcode", "invitation"):
            continue
        if name == "icam.follow-up-ended.v1" and field == "state":
            continue
        rest = {k: v for k, v in EXAMPLES[name].items() if k != field}
        if field in ("first_appointment", "next_appointment"):
            assert decode(name, record.key, orjson.dumps(rest), record.headers)
        else:
            assert rejected(record, value=orjson.dumps(rest)).reason is Reason.SCHEMA


MARKER = "marker-d41d8cd9"


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("make", [binary, structured])
def test_a_rejection_never_quotes_the_record(name: str, make: Callable[..., Outgoing]) -> None:
    """Put a marker in each field, attribute and key name in turn, and in invalid JSON."""
    records = [make(name, **{field: f"!{MARKER}"}) for field in EXAMPLES[name]]
    records += [
        make(name, **{field: {**content, inner: f"!{MARKER}", f"!{MARKER}": 1}})
        for field, content in EXAMPLES[name].items()
        if isinstance(content, dict)
        for inner in content
    ]
    records += [
        with_header(binary(name), header, f"!{MARKER}".encode())
        for header, _ in binary(name).headers
    ]
    attributes = ("id", "source", "type", "time", "subject", "specversion", "datacontenttype")
    records += [with_attribute(attribute, f"!{MARKER}") for attribute in attributes]
    record = make(name)
    records += [
        Outgoing(name, record.key, raw.replace("MARKER", MARKER).encode(), record.headers)
        for raw in ('{"MARKER"', '{"MARKER": NaN}', '{"MARKER": 1, "MARKER": 2}', '"MARKER"')
    ]
    for one in records:
        rejection = rejected(one)
        assert MARKER not in rejection.detail
        assert MARKER not in str(rejection)
        assert rejection.__cause__ is None


_NAMES = st.sampled_from(
    [
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_time",
        "ce_subject",
        "ce_specversion",
        "ce_datacontenttype",
        "content-type",
        "Content-Type",
    ]
)
_VALUES = st.one_of(
    st.none(),
    st.binary(max_size=64),
    st.sampled_from(
        [value for _, value in binary().headers]
        + [STRUCTURED.encode(), *(topic.encode() for topic in INPUT_TOPICS)]
    ),
)
_HEADERS = st.lists(st.tuples(st.one_of(_NAMES, st.text(max_size=20)), _VALUES), max_size=70)
_TOPICS = st.one_of(st.sampled_from(INPUT_TOPICS), st.text(max_size=30))


def decode_or_reject(
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
) -> None:
    """Decode a record. Any exception except ``Rejected`` fails the test."""
    try:
        result: Decoded | Rejected = decode(topic, key, value, headers)
    except Rejected as rejection:
        result = rejection
    if isinstance(result, Rejected):
        assert result.reason in Reason
        assert result.subject is None or result.subject.isascii()


@forall(_TOPICS, st.none() | st.binary(), st.none() | st.binary(max_size=500), _HEADERS)
@example(ORDER, CASE_ID.encode(), b"{}", [*binary().headers])
def test_any_bytes_are_decoded_or_rejected(
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
) -> None:
    decode_or_reject(topic, key, value, headers)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["2026-03-02T08:00:00Z", CASE_ID, "order-1", "\x00", "\ud800", "1e999"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_ATTRIBUTES = st.sampled_from(
    ["specversion", "id", "source", "type", "time", "subject", "datacontenttype", "data"]
)


@forall(
    st.sampled_from(TYPES),
    st.dictionaries(_ATTRIBUTES, _JSON, max_size=3),
    st.data(),
)
def test_any_json_in_any_field_is_decoded_or_rejected(
    name: str, attributes: dict[str, Any], data: st.DataObject
) -> None:
    fields = st.sampled_from([*EXAMPLES[name], "extra"])
    changed = data.draw(st.dictionaries(fields, _JSON, max_size=4))
    body = {**EXAMPLES[name], **changed}
    record = binary(name)
    decode_or_reject(name, record.key, json.dumps(body).encode(), list(record.headers))
    structured_body = {**orjson.loads(structured(name).value), "data": body, **attributes}
    decode_or_reject(
        name,
        record.key,
        json.dumps(structured_body).encode(),
        [("content-type", STRUCTURED.encode())],
    )


@forall(st.sampled_from(TYPES), st.integers(0, 2_000), st.binary(min_size=1, max_size=4))
def test_an_event_with_overwritten_bytes_is_decoded_or_rejected(
    name: str, at: int, damage: bytes
) -> None:
    for record in (binary(name), structured(name)):
        start = at % len(record.value)
        value = record.value[:start] + damage + record.value[start + len(damage) :]
        decode_or_reject(name, record.key, value, list(record.headers))


def test_the_examples_are_valid_events() -> None:
    """Without this, the tests above could see rejections for another reason."""
    for name in TYPES:
        assert decoded(binary(name)) == decoded(structured(name))
