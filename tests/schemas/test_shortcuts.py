"""The fast parsers of JSON and of times give the same results as the strict parsers."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import example
from hypothesis import given as forall
from hypothesis import strategies as st
from pydantic import AwareDatetime, Strict, TypeAdapter, ValidationError

from schemas.envelope import Envelope, _header_attributes, _plain, _usual
from schemas.exact_json import _parse_fast, _parse_strict
from schemas.ids import uuid_of
from schemas.instants import rfc3339
from schemas.rejected import Rejected
from schemas.types import Instant
from tests.schemas.examples import TYPES, binary, structured

INVALID = [
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":1}',
    '{"a":{"b":[{"c":1,"c":2}]}}',
    "[NaN]",
    "[Infinity]",
    "[-Infinity]",
    "[1e999]",
    '["\\ud800"]',
    '{"\\udfff":1}',
    "[18446744073709551616]",
    "[-9223372036854775809]",
    "9" * 5_000,
    "[" * 400 + "]" * 400,
    "[" * 10_000 + "]" * 10_000,
    "\ufeff[]",
    "[] []",
    "[1,]",
    "",
]

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**66), 2**66)
    | st.floats()
    | st.text()
    | st.sampled_from(["\x00", "\ud800", "\x7f", "\u2028", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_VALUES = st.one_of(
    _JSON.map(lambda value: json.dumps(value).encode()),
    _JSON.map(lambda value: json.dumps(value, separators=(",", ":")).encode()),
    st.text('{}[]":,.eE+-0123456789aNul\\ ', max_size=20).map(str.encode),
    st.binary(max_size=30),
)


def assert_same_result(value: bytes) -> None:
    """If the fast parser accepts, both agree, including types, key order and the sign of zero."""
    parsed = _parse_fast(value)
    if parsed is not None:
        assert repr(parsed) == repr(_parse_strict(value))


@forall(_VALUES)
@example(b"[-0.0,0.0,-0,1e19,1E400,5e-324,18446744073709551615,-9223372036854775808]")
@example(b"[-0.0,1e19,5e-324,18446744073709551615,-9223372036854775808,1.7976931348623157e308]")
def test_the_fast_parser_agrees_with_the_strict_parser(value: bytes) -> None:
    assert_same_result(value)


@forall(st.sampled_from(TYPES), st.integers(0, 2_000), st.binary(min_size=1, max_size=4))
def test_both_parsers_agree_when_bytes_are_overwritten(name: str, at: int, damage: bytes) -> None:
    for record in (binary(name), structured(name)):
        start = at % len(record.value)
        assert_same_result(record.value[:start] + damage + record.value[start + len(damage) :])


@pytest.mark.parametrize("text", INVALID, ids=range(len(INVALID)))
def test_the_fast_parser_returns_none_for_invalid_json(text: str) -> None:
    assert _parse_fast(text.encode()) is None


@pytest.mark.parametrize("name", TYPES)
def test_the_fast_parser_accepts_an_ordinary_event(name: str) -> None:
    """Without this, the tests above could pass with a parser that accepts nothing."""
    value = binary(name).value
    assert _parse_fast(value) == _parse_strict(value) == orjson.loads(value)
    with pytest.raises(Rejected):
        _parse_strict(value[:-1])


_PYDANTIC: TypeAdapter[Any] = TypeAdapter(Annotated[AwareDatetime, Strict(False)])
_INSTANT: TypeAdapter[Any] = TypeAdapter(Instant)
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TWO = st.sampled_from(
    ["00", "01", "02", "12", "13", "23", "24", "28", "29", "30", "31", "59", "60"]
)
_TIMES = st.builds(
    lambda *parts: "".join(parts),
    st.sampled_from(["1991", "2000", "2024", "2025", "2026", "2099"]),
    st.sampled_from(["-", "-", "-", "", "-W"]),
    _TWO,
    st.sampled_from(["-", "-", "-", ""]),
    _TWO,
    st.sampled_from(["T", "T", "T", "t", "_"]),
    _TWO,
    st.just(":"),
    _TWO,
    st.sampled_from([":00", ":59", ":60", ":00.5", ":00.123456", ":00.1234567", ":00,5", ""]),
    st.sampled_from(["Z", "Z", "+00:00", "-00:00", "z", "+02:00", "+0000", "+24:00", ""]),
)


def read(reader: TypeAdapter[Any], text: str) -> str | list[str]:
    try:
        instant: str = reader.validate_json(orjson.dumps(text)).isoformat()
    except ValidationError as invalid:
        return [error["type"] for error in invalid.errors()]
    return instant


@forall(_TIMES.filter(lambda text: "T" in text.upper()))
@example("2026-03-02T08:00:00Z")
@example("2026-03-02T08:00:00.000001+00:00")
@example("2026-02-30T08:00:00Z")
@example("2026-W10-1T08:00:00Z")
@example("20260302T080000.000Z")
@example("\u0662026-03-02T08:00:00Z")
def test_a_time_in_utc_is_read_as_pydantic_reads_it(text: str) -> None:
    ours, pydantic = read(_INSTANT, text), read(_PYDANTIC, text)
    assert ours in (pydantic, ["not_rfc_3339"])
    assert ours == pydantic or isinstance(pydantic, list) or not _RFC_3339.fullmatch(text)


_USUAL = {
    "specversion": "1.0",
    "id": "0191a8f2-6c1e-4b7d-9a3e-5d2c8f1e7b60",
    "source": "/dvz/returns?a=b#c",
    "type": "icam.oqt-issued.v1",
    "time": "2026-03-02T09:00:00.25Z",
    "subject": "case-0123_A",
}
_ODD = st.one_of(
    st.sampled_from(["", "\n", "1.0", "1.1", "1x0", "a\nb", "caſe-0123", "case-01٣", "c" * 64]),
    st.sampled_from(["c" * 65, "/" * 200, "/" * 201, "x" * 100, "x" * 101, "1234567", "a" * 8]),
    st.sampled_from([*_USUAL.values(), *(f"{text}\n" for text in _USUAL.values())]),
    st.sampled_from([_USUAL["id"].upper(), _USUAL["id"].replace("-", ""), f"{{{_USUAL['id']}}}"]),
    _TIMES,
    st.text(max_size=12),
)


@forall(
    st.dictionaries(st.sampled_from([*_USUAL]), _ODD, max_size=2),
    st.sampled_from(["", "id", "source", "type", "time", "subject"]),
)
def test_the_usual_attributes_give_the_envelope_of_the_model(
    odd: dict[str, str], absent: str
) -> None:
    attributes = {**_USUAL, **odd}
    attributes.pop(absent, None)
    found = _usual(attributes)
    if found is not None:
        model = Envelope.read_json(orjson.dumps(attributes))
        assert repr(found) == repr(model)
        assert found == model


_PLAIN = [("content-type", "application/json"), *((f"ce_{key}", _USUAL[key]) for key in _USUAL)]


@forall(
    st.permutations(_PLAIN),
    st.dictionaries(st.sampled_from([name for name, _ in _PLAIN]), _ODD | st.none(), max_size=2),
    st.sampled_from(["", *(name for name, _ in _PLAIN)]),
    st.sampled_from([None, ("traceparent", b"00"), ("CE_ID", b"x"), ("ce_type", b"x"), ("", None)]),
    st.binary(max_size=3),
)
def test_plain_headers_give_the_envelope_of_the_model(
    headers: list[tuple[str, str]],
    odd: dict[str, str | None],
    absent: str,
    more: tuple[str, bytes | None] | None,
    tail: bytes,
) -> None:
    texts = {**dict(headers), **odd}
    texts.pop(absent, None)
    pairs = [
        (name, None if text is None else text.encode("utf-8", "replace"))
        for name, text in texts.items()
    ]
    pairs += [more] if more else []
    damaged = [(name, None if raw is None else raw + tail) for name, raw in pairs]
    for given in (pairs, tuple(pairs), damaged, [*pairs[:1], *pairs]):
        found = _plain(given)
        if found is not None:
            attributes = _header_attributes(given)
            assert attributes.pop("content-type") == "application/json"
            model = Envelope.read_json(orjson.dumps(attributes))
            assert repr(found) == repr(model)
            assert found == model


def test_the_headers_of_an_ordinary_event_are_plain() -> None:
    """Without this, the test above could pass with nothing that is plain."""
    assert _plain([(name, text.encode()) for name, text in reversed(_PLAIN)]) is not None
    for name in TYPES:
        assert _plain(binary(name).headers) is not None


@forall(st.integers(0, 2**128 - 1))
def test_a_uuid_of_a_number_is_that_of_the_constructor(number: int) -> None:
    ours, theirs = uuid_of(number), UUID(int=number)
    assert (ours, repr(ours), hash(ours), ours.is_safe) == (
        theirs,
        repr(theirs),
        hash(theirs),
        theirs.is_safe,
    )


_ZONES = st.one_of(
    st.just(ZoneInfo("Europe/Brussels")),
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@forall(st.datetimes(*map(datetime.fromisoformat, ("1990-01-01", "2100-01-02")), timezones=_ZONES))
def test_the_text_of_an_instant_is_that_of_python(instant: datetime) -> None:
    assert rfc3339(instant) == instant.isoformat()
    read = TypeAdapter(AwareDatetime).validate_python(instant.isoformat())
    assert rfc3339(read) == read.isoformat()


def test_the_attributes_of_an_ordinary_event_are_usual() -> None:
    """Without this, the test above could pass with nothing that is usual."""
    assert _usual(_USUAL) is not None
    for name in TYPES:
        headers = dict(binary(name).headers)
        attributes = {key.removeprefix("ce_"): value.decode() for key, value in headers.items()}
        del attributes["content-type"]
        assert _usual(attributes) is not None
