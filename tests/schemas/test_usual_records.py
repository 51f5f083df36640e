"""A record in its usual form is decoded on a short path, with the verdict of the whole one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from pydantic import AwareDatetime, TypeAdapter

from schemas import codec
from schemas.codec import Decoded, decode, decode_any
from schemas.envelope import Headers
from schemas.events import EVENT_TYPES
from schemas.instants import rfc3339
from schemas.producers import Producers
from schemas.reader import reader
from schemas.rejected import Rejected
from schemas.types import fields_of, usual_instant
from streams import reference
from tests.producers import PRODUCERS
from tests.schemas.examples import CASE_ID, EVENT_ID, EXAMPLES, ORDER, TYPES

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SHIPPED = reference.producers()
_PYDANTIC: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)
_ODD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [None, True, False, 0, 1, 2, 21, 30, 31, 1000, 30.0, -0.0, 1e300, 2**63, 2**70, "", "x"]
    ),
    st.sampled_from(
        ["order-1", "1234", "9000", "Ω-0001", "a\u0000bc", "85073003328", "a\nb", "nl"]
    ),
    st.sampled_from(["case-85073003328", "A850730-033-28", "single", "family_with_minors", "ends"]),
    st.sampled_from(["done", "not_applicable", "granted", "reopened", "minor_age_dispute", "home"]),
    st.sampled_from(
        [
            "2026-03-02T08:00:00Z",
            "2026-03-02T08:00:00z",
            "2026-03-02t08:00:00Z",
            "2026-03-02T08:00:00.5Z",
            "2026-03-02T08:00:00.1234567Z",
            "2026-03-02T10:00:00+02:00",
            "2026-03-02T08:30:00.25-05:45",
            "2026-03-02T08:00:00-00:00",
            "2026-02-30T08:00:00+01:00",
            "1990-01-01T00:00:00+23:59",
            "2026-03-02T08:00:00+24:00",
            "2026-03-02T08:00:00+00:00",
            "2026-02-30T08:00:00Z",
            "2026-03-02T23:59:60Z",
            "2026-03-02T10:30:00Z",
            "2031-03-02T08:00:00Z",
            "1989-12-31T00:00:00Z",
            "2026-W10-1T08:00:00Z",
            "2026-03-02T08:00:00Z\n",
            1772438400,
        ]
    ),
    st.sampled_from([[], {}, {"kind": "single", "minors": 1}, {"kind": "single", "more": 1}]),
    st.sampled_from(["coach", "team_lead", "taken_up", "postponed", "moved", "PROVEN"]),
    st.text(max_size=4),
)
_FORMS = ["usual", "sorted", "spaced", "escaped", "repeated", "cut", "padded"]


def in_utc(content: Any) -> Any:
    """Return an example with its instants in UTC, as a producer in the usual form writes them."""
    if isinstance(content, dict):
        return {name: in_utc(value) for name, value in content.items()}
    if isinstance(content, str) and content.endswith("+01:00"):
        at = datetime.fromisoformat(content).astimezone(UTC)
        return at.isoformat().replace("+00:00", "Z")
    return content


def written(content: dict[str, Any], form: str) -> bytes:
    """Return a JSON text of content, in one of several forms."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=form == "escaped").encode(
        errors="surrogatepass"
    )
    if form == "sorted":
        return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    if form == "spaced":
        return json.dumps(content).encode()
    if form == "repeated":
        return b'{"order_id":"order-2",' + text[1:]
    if form == "cut":
        return text[:-1]
    return text + b" " if form == "padded" else text


def sent(name: str, **odd: str) -> Headers:
    """Return the headers of the example of a type, in the usual form apart from ``odd``."""
    texts = {
        "ce_specversion": "1.0",
        "ce_id": str(EVENT_ID),
        "ce_source": "/be/oe/orders",
        "ce_type": name,
        "ce_time": "2026-03-02T08:00:00Z",
        "ce_subject": CASE_ID,
        "content-type": "application/json",
        **odd,
    }
    return tuple((key, text.encode()) for key, text in texts.items())


def verdict(decoder: Any, *record: Any) -> tuple[Any, ...]:
    """Return the event with its exact types, or the rejection with its exact words."""
    try:
        event: Decoded = decoder(*record)
    except Rejected as rejection:
        return rejection.reason, rejection.detail, rejection.subject
    assert type(event.event).read_json(event.payload) == event.event
    instants = [value for value in vars(event.event).values() if isinstance(value, datetime)]
    return (
        *event,
        repr(event.event),
        event.time.tzinfo is UTC,
        [at.isoformat() for at in instants],
    )


def assert_same(
    topic: str, key: bytes | None, value: bytes | None, headers: Headers, *more: Any
) -> None:
    record = (topic, key, value, headers, *more)
    assert verdict(decode, *record) == verdict(decode_any, *record)


_PRODUCERS = st.sampled_from([None, PRODUCERS, SHIPPED])


_ZONES: st.SearchStrategy[Callable[[Any], Any]] = st.sampled_from([in_utc, lambda content: content])
"""Instants in UTC, or with an offset."""


@forall(
    st.sampled_from(TYPES),
    _ZONES,
    st.dictionaries(st.sampled_from(sorted({f for e in EXAMPLES.values() for f in e})), _ODD),
    st.sampled_from(_FORMS),
    st.sampled_from([None, NOW, NOW - timedelta(days=40)]),
    _PRODUCERS,
)
def test_content_has_the_same_verdict_on_both_paths(
    name: str,
    zone: Callable[[Any], Any],
    odd: dict[str, Any],
    form: str,
    now: datetime | None,
    producers: Producers | None,
) -> None:
    content = {**zone(EXAMPLES[name]), **odd}
    try:
        value = written(content, form)
    except UnicodeEncodeError:
        return
    more = (now, timedelta(minutes=5), producers)
    assert_same(name, CASE_ID.encode(), value, sent(name), *more)
    fitting = {**zone(EXAMPLES[name]), **{f: v for f, v in odd.items() if f in EXAMPLES[name]}}
    assert_same(name, CASE_ID.encode(), written(fitting, "usual"), sent(name), *more)


_TOPICS = [ORDER, TYPES[1], f"{ORDER}.be-orders", f"{ORDER}.canary", f"{ORDER}._", "icam.other.v1"]
_TEXTS = [
    "2026-03-02T08:00:00+00:00",
    "2026-03-02T08:00:00.1234Z",
    "2026-03-02T08:00:00.000000+00:00",
    "2026-03-02T09:00:00+01:00",
    "2026-03-02T12:00:00Z",
    "2026-03-01T07:00:00Z",
    "2026-02-30T07:00:00Z",
    "1.1",
    "canary-20260302",
    "case-85073003328",
    "/icam/canary",
    "/unknown",
    "/be/oe/icam/interviews",
    "icam.oqt-issued.v2",
    TYPES[1],
    "application/cloudevents+json",
    "",
]


@pytest.mark.parametrize("producers", [None, PRODUCERS, SHIPPED])
@pytest.mark.parametrize("topic", _TOPICS)
@pytest.mark.parametrize("header", [key for key, _ in sent(ORDER)])
def test_a_record_has_the_same_verdict_whatever_one_header_says(
    header: str, topic: str, producers: Producers | None
) -> None:
    value = written(in_utc(EXAMPLES[ORDER]), "usual")
    for text in _TEXTS:
        headers = sent(ORDER, **{header: text})
        for key in (CASE_ID.encode(), text.encode(), None):
            for now in (None, NOW):
                assert_same(topic, key, value, headers, now, timedelta(minutes=5), producers)
        assert_same(topic, CASE_ID.encode(), value, [*headers][::-1])
        assert_same(topic, CASE_ID.encode(), value, [*headers, ("more", b"")])
        assert_same(topic, CASE_ID.encode(), value, [*headers][1:])


@pytest.mark.parametrize("source", ["/be/oe/orders", "/be/oe/icam/appointments", "/be/cce/appeals"])
@pytest.mark.parametrize("name", TYPES)
def test_an_event_has_the_same_verdict_whichever_source_reports_it(name: str, source: str) -> None:
    for content in (EXAMPLES[name], in_utc(EXAMPLES[name])):
        for producers in (None, PRODUCERS, SHIPPED):
            for now in (None, NOW, NOW - timedelta(days=60)):
                for topic in (name, f"{name}.oe", f"{name}.cce"):
                    value = written(content, "usual")
                    headers = sent(name, ce_source=source)
                    more = (now, timedelta(minutes=5), producers)
                    assert_same(topic, CASE_ID.encode(), value, headers, *more)


@forall(st.sampled_from(TYPES), st.integers(0, 2_000), st.binary(min_size=1, max_size=3))
def test_damaged_bytes_have_the_same_verdict_on_both_paths(
    name: str, at: int, damage: bytes
) -> None:
    value = written(EXAMPLES[name] if at % 2 else in_utc(EXAMPLES[name]), "usual")
    start = at % len(value)
    for damaged in (
        value[:start] + damage + value[start + len(damage) :],
        value[:start] + damage + value[start:],
        value[:start] + value[start + len(damage) :],
    ):
        assert_same(name, CASE_ID.encode(), damaged, sent(name))


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("name", TYPES)
def test_a_valid_event_has_the_same_verdict_in_every_form(name: str, form: str) -> None:
    assert_same(name, CASE_ID.encode(), written(in_utc(EXAMPLES[name]), form), sent(name))


@pytest.mark.parametrize("name", TYPES)
def test_an_ordinary_record_takes_the_short_path(name: str) -> None:
    """Without this, the tests above could pass with a short path that nothing takes."""
    value = written(in_utc(EXAMPLES[name]), "usual")
    record = (name, CASE_ID.encode(), value, tuple(sent(name)), None, None, None)
    assert codec._decode_usual(*record) is not None
    local = written(EXAMPLES[name], "usual"), tuple(sent(name, ce_time="2026-03-02T09:00:00+01:00"))
    assert codec._decode_usual(name, CASE_ID.encode(), *local, None, None, None) is not None
    assert codec._decode_usual(name, CASE_ID.encode(), value + b" ", *record[3:]) is None


@forall(
    st.sampled_from(TYPES),
    _ZONES,
    st.dictionaries(st.sampled_from(sorted({f for e in EXAMPLES.values() for f in e})), _ODD),
)
def test_what_a_reader_accepts_is_what_its_model_reads(
    name: str, zone: Callable[[Any], Any], odd: dict[str, Any]
) -> None:
    model = EVENT_TYPES[name]
    content = {
        **zone(EXAMPLES[name]),
        **{field: value for field, value in odd.items() if field in fields_of(model)},
    }
    try:
        text = orjson.dumps(content)
    except (TypeError, ValueError):  # a number beyond 64 bits
        return
    found = reader(model)(text)
    if found is not None:
        expected = model.read_json(text)
        assert (found, repr(found)) == (expected, repr(expected))
        assert found.to_json() == expected.to_json()


@pytest.mark.parametrize("name", TYPES)
def test_a_reader_reads_an_ordinary_event(name: str) -> None:
    assert reader(EVENT_TYPES[name])(orjson.dumps(in_utc(EXAMPLES[name]))) is not None
    assert reader(EVENT_TYPES[name])(orjson.dumps(EXAMPLES[name])) is not None
    assert reader(EVENT_TYPES[name])(orjson.dumps({**in_utc(EXAMPLES[name]), "more": 1})) is None


def test_a_reader_leaves_an_instant_in_an_unusual_form_to_the_model() -> None:
    """Also that of a message within the event: else its own, slower validator would be used."""
    read, content = reader(EVENT_TYPES[ORDER]), in_utc(EXAMPLES[ORDER])
    within = {**content["first_appointment"], "at": "2026-03-12T10:00:00.0000001+01:00"}

    assert read(orjson.dumps(content)) is not None
    assert read(orjson.dumps({**content, "notified_at": "2026-03-02t09:00:00+01:00"})) is None
    assert read(orjson.dumps({**content, "first_appointment": within})) is None


@forall(
    st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2099-12-31")),
    st.integers(0, 6),
    st.integers(-24 * 60 + 1, 24 * 60 - 1),
)
def test_a_usual_instant_is_the_one_that_pydantic_reads(
    local: datetime, digits: int, minutes: int
) -> None:
    fraction = f".{local:%f}"[: digits + 1] if digits else ""
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    text = f"{local:%Y-%m-%dT%H:%M:%S}{fraction}{offset}"

    found, expected = usual_instant(text), _PYDANTIC.validate_python(text)

    assert found == expected
    assert found is not None
    assert found.isoformat() == expected.isoformat()
    assert rfc3339(found) == rfc3339(expected)
    assert _PYDANTIC.dump_json(found) == _PYDANTIC.dump_json(expected)
    again = usual_instant(text)
    assert again is not None
    assert again.tzinfo is found.tzinfo, "cheap to compare"
