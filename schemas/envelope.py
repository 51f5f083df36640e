"""Read and write CloudEvents 1.0 over Kafka, in binary and structured mode.

A structured event is recognised by its content type or its content. A byte order mark, names of
headers in other case, media types with parameters and ``data_base64`` are accepted.

The profile is stricter than CloudEvents:

- ``id`` is a UUID, unique for its source; both are the primary key of the log;
- ``subject`` and the Kafka key are the case id and must be equal;
- ``time`` is required: it orders corrections of one fact;
- ``type`` equals the input topic's name, ``datacontenttype`` is JSON.

What is not valid raises ``Rejected``, which says why.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from schemas import national_number
from schemas.exact_json import canonical, parse_object
from schemas.ids import uuid_of
from schemas.instants import rfc3339
from schemas.rejected import Reason, Rejected
from schemas.types import (
    LOCAL_TIME,
    MAX_VALUE_BYTES,
    UTC_TIME,
    CaseId,
    Instant,
    Message,
    message_type,
    unvalidated,
    usual_instant,
)

Headers = Iterable[tuple[str, bytes | None]]

STRUCTURED: Final = "application/cloudevents+json"
JSON: Final = "application/json"
_CLOUDEVENTS: Final = "application/cloudevents"
_BATCH: Final = "application/cloudevents-batch+json"
_MAX_HEADERS: Final = 64
_MAX_HEADER_BYTES: Final = 1024
_ATTRIBUTES: Final = frozenset(
    {"specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema"}
)
_ATTRIBUTE_OF: Final = {f"ce_{name}": name for name in _ATTRIBUTES} | {
    "content-type": "content-type"
}

_HINTS: Final = {
    "specversion": "1.0",
    "id": "a UUID, unique for its source",
    "source": "a URI reference of 1 to 200 characters",
    "type": "the name of the topic",
    "time": "RFC 3339 with an offset, 1990 to 2100",
    "subject": (
        "the case id: 8 to 64 letters, digits, - and _, the first a letter; put a prefix such as "
        "case- before a UUID"
    ),
}


Source = Annotated[str, Field(pattern=r"^[A-Za-z0-9:/._~#?=&%-]{1,200}$")]


@message_type
class Envelope(Message):
    """The CloudEvents attributes of one event."""

    specversion: Annotated[str, Field(pattern=r"^1\.0$")] = "1.0"
    id: UUID
    source: Source
    type: Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,100}$")]
    time: Instant
    subject: CaseId


_envelope: Final = unvalidated(Envelope)
_HEADERS: Final = (
    "content-type",
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_subject",
    "ce_time",
)
_in_order: Final[Callable[[Mapping[str, bytes | None]], tuple[bytes, ...]]] = itemgetter(*_HEADERS)
_USUAL: Final = re.compile(  # the same as the model's patterns, of which none has a line break
    r"1\.0\n"
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\n"
    r"[A-Za-z0-9:/._~#?=&%-]{1,200}\n"
    r"[a-z0-9.-]{1,100}\n"
    r"[A-Za-z][A-Za-z0-9_-]{7,63}"
)
_PLAIN: Final = re.compile(f"application/json\n{_USUAL.pattern}\n(?:{UTC_TIME}|{LOCAL_TIME})")
_AFTER_SECONDS: Final = len("2026-03-02T09:00:00")
_UTC_OFFSET: Final = "+00:00"
_CASE_ID: Final = TypeAdapter(CaseId)
_SOURCE: Final = TypeAdapter(Source)


def read(
    key: bytes | None, value: bytes | None, headers: Headers
) -> tuple[Envelope, dict[str, Any]]:
    """Return the envelope and the data object of one record, in either content mode.

    Raises:
        Rejected: oversized, undecodable, not CloudEvents 1.0, or key and subject differ.
    """
    if value is None:
        raise Rejected(Reason.UNDECODABLE, "no value (a tombstone is not an event)")
    if len(value) > MAX_VALUE_BYTES:
        raise Rejected(Reason.OVERSIZED, f"value of {len(value)} bytes, limit {MAX_VALUE_BYTES}")
    envelope = _plain(headers)
    if envelope is not None:
        data = parse_object(value)
    else:
        envelope, data = _read_any(value, headers)
    subject = envelope.subject
    if national_number.contains(subject):
        detail = "subject: contains a national number; send an opaque case id instead"
        raise Rejected(Reason.ENVELOPE, detail)
    if key != subject.encode():
        detail = "the record's key is not the event's subject"
        raise Rejected(Reason.WRONG_KEY, detail, subject)
    return envelope, data


class Plain(NamedTuple):
    """The attributes of exactly the headers that ``write`` gives, in any order."""

    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    time_text: str
    """``time`` in UTC, as ``isoformat`` writes it."""


def plain(headers: Headers) -> Plain | None:
    """Return the attributes of headers in their usual form, else None.

    Most events have it, and this costs a third of what ``_read_any`` does.
    """
    pairs = tuple(headers)
    if len(pairs) != len(_HEADERS):
        return None
    try:
        text = b"\n".join(_in_order(dict(pairs))).decode()
        if _PLAIN.fullmatch(text) is None:
            return None
        _, _, id_, source, type_, subject, at = text.split("\n")
        time = datetime.fromisoformat(at)
    # A header is missing, is null, is not UTF-8 or names no such day.
    except (KeyError, TypeError, ValueError):
        return None
    time_text = at if at[_AFTER_SECONDS:] == _UTC_OFFSET else rfc3339(time.astimezone(UTC))
    # By position: by name it costs twice as much.
    return Plain(uuid_of(int(id_.replace("-", ""), 16)), source, type_, subject, time, time_text)


def _plain(headers: Headers) -> Envelope | None:
    found = plain(headers)
    if found is None:
        return None
    return _envelope(
        specversion="1.0",
        id=found.id,
        source=found.source,
        type=found.type,
        time=found.time,
        subject=found.subject,
    )


def _read_any(value: bytes, headers: Headers) -> tuple[Envelope, dict[str, Any]]:
    """Return the envelope and the data object of a record in whatever form."""
    attributes = _header_attributes(headers)
    body = parse_object(value)
    media_type = _media_type(attributes.pop("content-type", JSON))
    binary = True
    data: Any = body
    if media_type == STRUCTURED or ("specversion" in body and "specversion" not in attributes):
        # The Python SDK names structured events application/json, and others name no type at all.
        binary, data = False, _structured_data(body)
        attributes = {name: body.get(name) for name in _ATTRIBUTES if body.get(name) is not None}
    elif media_type != JSON and not _is_json(media_type):
        raise Rejected(Reason.ENVELOPE, _media_type_detail(media_type))
    if "datacontenttype" in attributes and not _is_json(_media_type(attributes["datacontenttype"])):
        raise Rejected(Reason.ENVELOPE, "datacontenttype: not JSON; send application/json")
    if "specversion" not in attributes:  # the model's default is for writing only
        raise Rejected(Reason.ENVELOPE, _no_attributes(headers), _subject(attributes))
    try:
        envelope = _usual(attributes) if binary else None
        if envelope is None:
            # Headers are text, which always has a JSON form.
            text = orjson.dumps(attributes) if binary else canonical(attributes)
            envelope = Envelope.read_json(text)
    except ValidationError as error:
        raise Rejected(Reason.ENVELOPE, _hinted(error), _subject(attributes)) from None
    return envelope, data


def _usual(attributes: Mapping[str, str]) -> Envelope | None:
    """Return the envelope of headers in their usual form, else None: the model judges the others.

    It costs half of what the model does, and gives the same envelope.
    """
    try:
        id_, source, type_ = attributes["id"], attributes["source"], attributes["type"]
        time, subject = usual_instant(attributes["time"]), attributes["subject"]
    except KeyError:
        return None
    version = attributes["specversion"]
    if time is None or not _USUAL.fullmatch("\n".join((version, id_, source, type_, subject))):
        return None
    return _envelope(
        specversion=version, id=UUID(id_), source=source, type=type_, time=time, subject=subject
    )


def _structured_data(body: dict[str, Any]) -> dict[str, Any]:
    """Return the data object of a structured event, from ``data`` or ``data_base64``."""
    encoded = body.get("data_base64")
    if encoded is None:
        data = body.get("data")
    elif body.get("data") is not None:
        raise Rejected(Reason.ENVELOPE, "data and data_base64: send only one of them")
    else:
        try:
            data = parse_object(b64decode(encoded, validate=True))
        except (TypeError, ValueError):  # not text, or not base64
            raise Rejected(Reason.ENVELOPE, "data_base64: not base64 of a JSON object") from None
    if not isinstance(data, dict):
        detail = "data: not a JSON object; send one in 'data', or its base64 in 'data_base64'"
        raise Rejected(Reason.ENVELOPE, detail)
    return data


def _is_json(media_type: str) -> bool:
    """Return whether a media type is JSON by CloudEvents: subtype ``json``, or suffix ``+json``."""
    if media_type.startswith(_CLOUDEVENTS):
        return False
    return media_type.endswith(("/json", "+json"))


def _media_type_detail(media_type: str) -> str:
    if media_type == _BATCH:
        return "content-type: a batch of events; send one event per record"
    return f"content-type: neither JSON nor CloudEvents JSON; send {JSON} or {STRUCTURED}"


def _no_attributes(headers: Headers) -> str:
    if any(name.lower().startswith("ce-") for name, _ in headers):
        return "specversion: missing; on Kafka headers start with ce_, as ce_specversion, not ce-"
    return f"specversion: missing; send ce_ headers, or a structured event ({STRUCTURED})"


def _hinted(error: ValidationError) -> str:
    """Return the failed attributes with what each must be."""
    failed = dict.fromkeys(str(e["loc"][0]) for e in error.errors() if e["loc"])
    hints = [f"{name} is {_HINTS[name]}" for name in failed if name in _HINTS]
    return "; ".join([summary(error), *hints])


def _media_type(value: object) -> str:
    """Return a media type without its parameters, in lower case."""
    return JSON if value == JSON else str(value).partition(";")[0].strip().lower()


def write(envelope: Envelope) -> list[tuple[str, bytes]]:
    """Return the Kafka headers of an event in binary mode."""
    e = envelope
    texts = headers(str(e.id), e.source, e.type, rfc3339(e.time), e.subject, e.specversion)
    return [(name, value.encode()) for name, value in texts.items()]


def headers(
    id_: str, source: str, type_: str, time: str, subject: str, specversion: str = "1.0"
) -> dict[str, str]:
    """Return the Kafka headers for attributes already known to be valid, as text, in order."""
    return {
        "ce_specversion": specversion,
        "ce_id": id_,
        "ce_source": source,
        "ce_type": type_,
        "ce_time": time,
        "ce_subject": subject,
        "content-type": JSON,
    }


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


def case_named(key: bytes | None) -> str | None:
    """Return the well-formed case id that a rejected record names: its key, and nothing else.

    Headers and content may name any number of cases. The key names one, and decides the partition.
    """
    return next(iter(_well_formed((key or b"").decode(errors="replace"))), None)


def source_named(value: bytes | None, headers: Headers) -> str | None:
    """Return the producer that a rejected record names, in a header or its content.

    None if it names none, or its name is malformed: it may be anything then.
    """
    found: object = None
    for name, raw in headers:
        if name.lower() == "ce_source":
            found = (raw or b"").decode(errors="replace")
            break
    else:
        if value is not None and len(value) <= MAX_VALUE_BYTES and b'"source"' in value:
            try:
                found = parse_object(value).get("source")
            except Rejected:
                return None
    try:
        source = _SOURCE.validate_python(found)
    except ValidationError:
        return None
    return None if national_number.contains(source) else source


def _subject(attributes: Mapping[str, Any]) -> str | None:
    return next(iter(_well_formed(attributes.get("subject"))), None)


def _well_formed(candidate: object) -> list[str]:
    """Return a case id in a list; nothing if it is malformed or contains a national number."""
    try:
        case_id = _CASE_ID.validate_python(candidate)
    except ValidationError:
        return []
    return [] if national_number.contains(case_id) else [case_id]


def summary(error: ValidationError, limit: int = 5) -> str:
    """Return the failed fields with their error codes. Input values are omitted on purpose."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    parts = [f"{'.'.join(str(step) for step in e['loc']) or 'body'}: {e['type']}" for e in errors]
    more = f" (+{len(parts) - limit} more)" if len(parts) > limit else ""
    return "; ".join(parts[:limit]) + more


def _header_attributes(headers: Headers) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for count, (name, raw) in enumerate(headers):
        if count >= _MAX_HEADERS:
            raise Rejected(Reason.ENVELOPE, f"more than {_MAX_HEADERS} headers")
        attribute = _ATTRIBUTE_OF.get(name) or _ATTRIBUTE_OF.get(name.lower())
        if attribute is None:
            if not name.isascii() and not _is_text(name):
                raise Rejected(Reason.ENVELOPE, "the name of a header is not UTF-8")
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


def _is_text(name: str) -> bool:
    """Whether a name has an exact form in UTF-8: other bytes are read as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
