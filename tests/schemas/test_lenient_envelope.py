"""What the CloudEvents specification permits is read; else the reason names cause and fix."""

from __future__ import annotations

from base64 import b64encode

import orjson
import pytest

from schemas.codec import Outgoing, decode
from schemas.rejected import Reason
from tests.schemas.examples import CASE_ID, EXAMPLES, ORDER, binary, decoded, structured
from tests.schemas.test_hostile_input import rejected, with_attribute, with_header, without_header

ANSWERED = "icam.proposal-answered.v1"
CIRCUMSTANCE = "icam.circumstance-changed.v1"


def test_a_byte_order_mark_is_ignored() -> None:
    for record in (binary(), structured()):
        value = b"\xef\xbb\xbf" + record.value
        assert decode(record.topic, record.key, value, record.headers) == decoded(record)


@pytest.mark.parametrize("write", [str.upper, str.title, str.lower])
def test_the_case_of_header_names_is_ignored(write: object) -> None:
    assert callable(write)
    for record in (binary(), structured()):
        headers = [(write(name), value) for name, value in record.headers]
        assert decode(record.topic, record.key, record.value, headers) == decoded(record)


def test_a_header_repeated_in_another_case_is_rejected() -> None:
    record = binary()
    headers = (*record.headers, ("CE_ID", b"another"))
    again = Outgoing(record.topic, record.key, record.value, headers)
    assert rejected(again).detail == "an attribute header is repeated"


@pytest.mark.parametrize("headers", [(), (("content-type", b"application/json"),)])
def test_a_structured_event_is_recognised_by_its_content(
    headers: tuple[tuple[str, bytes], ...],
) -> None:
    record = structured()
    assert decode(record.topic, record.key, record.value, headers) == decoded(record)


def test_a_binary_event_whose_data_looks_structured_stays_binary() -> None:
    record = binary(specversion="1.0", data={})
    assert decoded(record).unknown == 2


def base64(text: object, **more: object) -> Outgoing:
    record = structured()
    body = orjson.loads(record.value)
    del body["data"]
    value = orjson.dumps({**body, "data_base64": text, **more})
    return Outgoing(record.topic, record.key, value, record.headers)


def test_data_in_base64_is_read() -> None:
    text = b64encode(b"\xef\xbb\xbf" + orjson.dumps(EXAMPLES[ORDER])).decode()
    assert decoded(base64(text)) == decoded(binary())
    assert decoded(base64(text, data=None)) == decoded(binary())


@pytest.mark.parametrize("text", ["not base64!", 7, "W10=", "", "/w==", "e30"])
def test_data_in_broken_base64_is_rejected(text: object) -> None:
    assert rejected(base64(text)).reason in (Reason.ENVELOPE, Reason.UNDECODABLE)


def test_data_twice_is_rejected() -> None:
    assert "only one" in rejected(base64("e30=", data={})).detail


@pytest.mark.parametrize(
    ("record", "detail"),
    [
        (
            with_header(binary(), "ce_subject", b"6f1f3b2e-7f4b-4d0e-9f5e-000000000001"),
            "prefix such as case-",
        ),
        (with_attribute("subject", "0case-0001"), "prefix such as case-"),
        (with_header(binary(), "ce_id", b"17"), "id is a UUID"),
        (with_header(binary(), "ce_time", b"2026-03-02T08:00:00"), "time is RFC 3339"),
        (with_header(binary(), "ce_time", b"2026-03-02"), "time: not_rfc_3339"),
        (with_header(binary(), "ce_specversion", b"0.3"), "specversion is 1.0"),
        (without_header(binary(), "ce_specversion"), "send ce_ headers"),
        (with_header(binary(), "content-type", b"text/plain"), "send application/json"),
        (
            with_header(binary(), "content-type", b"application/cloudevents-batch+json"),
            "one event per record",
        ),
        (with_attribute("data", "{}"), "data_base64"),
        (with_attribute("datacontenttype", "text/xml"), "send application/json"),
    ],
)
def test_an_envelope_is_rejected_with_its_cause_and_its_fix(record: Outgoing, detail: str) -> None:
    rejection = rejected(record)
    assert rejection.reason is Reason.ENVELOPE
    assert detail in rejection.detail


def test_headers_named_as_over_http_are_told_apart() -> None:
    record = binary()
    headers = tuple((name.replace("ce_", "ce-"), value) for name, value in record.headers)
    detail = rejected(Outgoing(record.topic, record.key, record.value, headers)).detail
    assert "start with ce_" in detail


@pytest.mark.parametrize(
    ("name", "changed", "rule"),
    [
        (ORDER, {"departure_term_reason": None}, "short_term_without_reason"),
        (ORDER, {"household": {"kind": "family_with_minors"}}, "family_without_minors"),
        (ORDER, {"household": {"kind": "single", "minors": 1}}, "single_with_minors"),
        (ORDER, {"notified_at": "2026-03-02"}, "not_rfc_3339"),
        (CIRCUMSTANCE, {"outcome": "granted"}, "outcome_without_end"),
        (ANSWERED, {"postponed_until": None}, "postponed_until_does_not_fit_the_answer"),
        (ANSWERED, {"decision": "address_check"}, "decision_without_done"),
    ],
)
def test_a_broken_rule_is_named(name: str, changed: dict[str, object], rule: str) -> None:
    rejection = rejected(binary(name, **changed))
    assert (rejection.reason, rejection.subject) == (Reason.SCHEMA, CASE_ID)
    assert rule in rejection.detail
    assert "value_error" not in rejection.detail
