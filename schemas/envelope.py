"""CloudEvents 1.0 over Kafka, read and written in binary and structured mode.

Profile, stricter than CloudEvents on purpose:

- ``id`` is a UUID, unique over all producers; it is the primary key of the log;
- ``subject`` and the Kafka key are the case id, and agree;
- ``time`` is required: it orders corrections of one fact;
- ``type`` equals the input topic's name, ``datacontenttype`` is JSON.

Errors::

    Rejected(reason, detail)   the record can't be an event; the detail never repeats input
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from schemas.types import MAX_VALUE_BYTES, CaseId, Instant

Headers = Iterable[tuple[str, bytes | None]]

STRUCTURED: Final = "application/cloudevents+json"
JSON: Final = "application/json"
_MAX_HEADERS: Final = 64
_MAX_HEADER_BYTES: Final = 1024
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_ATTRIBUTES: Final = frozenset(
    {"specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema"}
)
_ATTRIBUTE_OF: Final = {f"ce_{name}": name for name in _ATTRIBUTES}


class Reason(StrEnum):
    """Why a record was set aside as a dead letter."""

    UNDECODABLE = "undecodable"
    OVERSIZED = "oversized"
    ENVELOPE = "envelope"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_VERSION = "unknown_version"
    WRONG_TOPIC = "wrong_topic"
    WRONG_KEY = "wrong_key"
    SCHEMA = "schema"
    ID_REUSED = "id_reused"
    BUG = "bug"


class Rejected(Exception):
    """The record can't be an event. ``detail`` names fields and codes, never input values.

    ``subject`` is the case that the event named, where it was well-formed.
    """

    def __init__(self, reason: Reason, detail: str, subject: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.subject = subject


class Envelope(BaseModel):
    """The CloudEvents attributes of one event."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    specversion: Annotated[str, Field(pattern=r"^1\.0$")] = "1.0"
    id: UUID
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9:/._~#?=&%-]{1,200}$")]
    type: Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,100}$")]
    time: Instant
    subject: CaseId


_CASE_ID: Final = TypeAdapter(CaseId)


def read(
    key: bytes | None, value: bytes | None, headers: Headers
) -> tuple[Envelope, dict[str, Any]]:
    """Return the envelope and the data object of one record, in either content mode.

    Raises:
        Rejected: oversized, undecodable, not CloudEvents 1.0, or key and subject disagree.
    """
    if value is None:
        raise Rejected(Reason.UNDECODABLE, "no value (a tombstone is not an event)")
    if len(value) > MAX_VALUE_BYTES:
        raise Rejected(Reason.OVERSIZED, f"value of {len(value)} bytes, limit {MAX_VALUE_BYTES}")
    attributes = _header_attributes(headers)
    body = _object(value)
    content_type = attributes.pop("content-type", JSON).split(";")[0].strip().lower()
    if content_type == STRUCTURED:
        data = body.pop("data", None)
        if not isinstance(data, dict):
            raise Rejected(Reason.ENVELOPE, "structured mode without a JSON object in 'data'")
        attributes = {name: body.get(name) for name in _ATTRIBUTES if body.get(name) is not None}
    elif content_type == JSON:
        data = body
    else:
        raise Rejected(Reason.ENVELOPE, "content type is neither JSON nor CloudEvents JSON")
    if str(attributes.get("datacontenttype") or JSON).split(";")[0].strip().lower() != JSON:
        raise Rejected(Reason.ENVELOPE, "datacontenttype is not application/json")
    if "specversion" not in attributes:  # the model has a default, for writing only
        raise Rejected(Reason.ENVELOPE, "specversion: missing", _subject(attributes))
    try:
        envelope = Envelope.model_validate_json(canonical(attributes))
    except ValidationError as error:
        raise Rejected(Reason.ENVELOPE, summary(error), _subject(attributes)) from None
    if key != envelope.subject.encode():
        detail = "the record's key is not the event's subject"
        raise Rejected(Reason.WRONG_KEY, detail, envelope.subject)
    return envelope, data


def write(envelope: Envelope) -> list[tuple[str, bytes]]:
    """Return the Kafka headers of an event in binary mode."""
    e = envelope
    return headers(e.id, e.source, e.type, e.time, e.subject, e.specversion)


def headers(
    id_: UUID, source: str, type_: str, time: datetime, subject: str, specversion: str = "1.0"
) -> list[tuple[str, bytes]]:
    """Return the same of attributes that are known to fit, without an envelope around them."""
    return [
        ("ce_specversion", specversion.encode()),
        ("ce_id", str(id_).encode()),
        ("ce_source", source.encode()),
        ("ce_type", type_.encode()),
        ("ce_time", rfc3339(time).encode()),
        ("ce_subject", subject.encode()),
        ("content-type", b"application/json"),
    ]


def write_structured(envelope: Envelope, data: Mapping[str, Any]) -> bytes:
    """Return the record value of an event in structured mode (content type ``STRUCTURED``)."""
    return orjson.dumps(
        {
            "specversion": envelope.specversion,
            "id": str(envelope.id),
            "source": envelope.source,
            "type": envelope.type,
            "time": rfc3339(envelope.time),
            "subject": envelope.subject,
            "datacontenttype": JSON,
            "data": data,
        }
    )


def cases_named(key: bytes | None, headers: Headers, subject: str | None = None) -> tuple[str, ...]:
    """Return the well-formed case ids that a record, however broken, points at.

    A record whose key and subject disagree points at both: a fact may be missing from either.
    ``subject`` is that of a structured event, as its rejection tells it.
    """
    raw = [key, *(value for name, value in headers if name == "ce_subject")]
    texts = [(candidate or b"").decode(errors="replace") for candidate in raw]
    return tuple(sorted({found for text in (*texts, subject) for found in _well_formed(text)}))


def _subject(attributes: Mapping[str, Any]) -> str | None:
    return next(iter(_well_formed(attributes.get("subject"))), None)


def _well_formed(candidate: object) -> list[str]:
    try:
        return [_CASE_ID.validate_python(candidate)]
    except ValidationError:
        return []


def rfc3339(instant: datetime) -> str:
    """Return an instant as RFC 3339 text with its offset."""
    return instant.isoformat()


def summary(error: ValidationError, limit: int = 5) -> str:
    """Return what was wrong, by field and code; input values are left out on purpose."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    parts = [f"{'.'.join(str(step) for step in e['loc']) or 'body'}: {e['type']}" for e in found]
    more = f" (+{len(parts) - limit} more)" if len(parts) > limit else ""
    return "; ".join(parts[:limit]) + more


def canonical(data: Mapping[str, Any]) -> bytes:
    """Return the JSON of ``data`` with sorted keys: equal content gives equal bytes.

    Raises:
        Rejected: the content has no exact JSON form (integer past 64 bits, lone surrogate), or a
            NUL character, which PostgreSQL's JSON functions refuse.
    """
    try:
        text = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):  # orjson's error is a TypeError; huge ints, lone surrogates
        raise Rejected(Reason.UNDECODABLE, "content has no exact JSON form") from None
    if b"u0000" in text and _NUL.search(text):
        raise Rejected(Reason.UNDECODABLE, "content has a NUL character")
    return text


def _header_attributes(headers: Headers) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for count, (name, raw) in enumerate(headers):
        if count >= _MAX_HEADERS:
            raise Rejected(Reason.ENVELOPE, f"more than {_MAX_HEADERS} headers")
        attribute = _ATTRIBUTE_OF.get(name) or name.lower()
        if attribute != "content-type" and name not in _ATTRIBUTE_OF:
            continue
        if attribute in attributes:
            raise Rejected(Reason.ENVELOPE, "an attribute header is repeated")
        if raw is None or len(raw) > _MAX_HEADER_BYTES:
            raise Rejected(Reason.ENVELOPE, "an attribute header is null or too long")
        try:
            attributes[attribute] = raw.decode()
        except UnicodeDecodeError:
            raise Rejected(Reason.ENVELOPE, "an attribute header is not UTF-8") from None
    return attributes


def _object(value: bytes) -> dict[str, Any]:
    parsed = _plain(value)
    if parsed is None:
        parsed = _strict(value)
    if not isinstance(parsed, dict):
        raise Rejected(Reason.UNDECODABLE, "value is not a JSON object")
    return parsed


def _plain(value: bytes) -> Any:
    """Return what a value says when written again it is the same bytes, else None.

    Such a value repeats no key, has no NaN, no number past 64 bits and no lone surrogate: nothing
    that ``_strict`` would refuse is ever written. Most producers write so, and it is far cheaper.
    """
    try:
        parsed = orjson.loads(value)
        return parsed if orjson.dumps(parsed) == value else None
    except (TypeError, ValueError):  # what can't be read or written here is for _strict to judge
        return None


def _strict(value: bytes) -> Any:
    try:
        return json.loads(
            value.decode(),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except Rejected:
        raise
    except (ValueError, RecursionError):  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise Rejected(Reason.UNDECODABLE, "value is not UTF-8 JSON of sane depth") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Rejected(Reason.UNDECODABLE, "a key is repeated in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Rejected(Reason.UNDECODABLE, "a number is past 64 bits")
    return number


def _refuse_constant(_: str) -> Any:
    raise Rejected(Reason.UNDECODABLE, "NaN or Infinity is not JSON")
