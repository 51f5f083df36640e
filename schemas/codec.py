"""From a Kafka record to a typed event and back. Pure; shared by the pipeline and the auditor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple, assert_never
from uuid import UUID

from pydantic import ValidationError

from schemas.envelope import (
    Envelope,
    Headers,
    Reason,
    Rejected,
    canonical,
    read,
    summary,
    write,
)
from schemas.events import (
    EVENT_TYPES,
    AppointmentMissed,
    CircumstanceChanged,
    Event,
    InterviewCompleted,
    OqtIssued,
)

_VERSIONED: Final = re.compile(r"^(?P<family>.+)\.v[0-9]+$")
_FAMILIES: Final = {name.rsplit(".v", 1)[0] for name in EVENT_TYPES}
_CLOCK_SKEW: Final = timedelta(hours=1)
_TYPE_OF: Final = {model: name for name, model in EVENT_TYPES.items()}


class Decoded(NamedTuple):
    """One event as the log keeps it.

    ``payload`` is the data as received, extra fields included, as canonical JSON; ``digest`` is
    the SHA-256 of type, case, time and payload: the same id with another digest is a reuse.
    """

    event_id: UUID
    case_id: str
    type: str
    source: str
    time: datetime
    payload: bytes
    digest: bytes
    event: Event


def decode(topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Decoded:
    """Return the event in one record of an input topic.

    Raises:
        Rejected: with the reason; nothing else is raised whatever the bytes.
    """
    envelope, data = read(key, value, headers)
    model = EVENT_TYPES.get(envelope.type)
    case_id = envelope.subject
    if model is None:
        match = _VERSIONED.match(envelope.type)
        if match and match["family"] in _FAMILIES:
            detail = "a version of this type that is not known here"
            raise Rejected(Reason.UNKNOWN_VERSION, detail, case_id)
        raise Rejected(Reason.UNKNOWN_TYPE, "a type that is not in the vocabulary", case_id)
    if envelope.type != topic:
        raise Rejected(Reason.WRONG_TOPIC, "the type does not belong on this topic", case_id)
    payload = canonical(data)
    try:
        event = model.model_validate_json(payload)
    except ValidationError as error:
        raise Rejected(Reason.SCHEMA, summary(error), case_id) from None
    time = envelope.time.astimezone(UTC)
    happened = _happened(event)
    if happened is not None and happened > time + _CLOCK_SKEW:
        raise Rejected(Reason.SCHEMA, "it was reported before it happened", case_id)
    return Decoded(
        event_id=envelope.id,
        case_id=case_id,
        type=envelope.type,
        source=envelope.source,
        time=time,
        payload=payload,
        digest=digest(envelope.type, case_id, time, payload),
        event=event,
    )


def _happened(event: Event) -> datetime | None:
    """Return when a fact of the past happened; a miss reported ahead of its hour is no miss."""
    if type(event) is AppointmentMissed:
        return event.scheduled_at
    if type(event) is InterviewCompleted:
        return event.held_at
    if type(event) is OqtIssued or type(event) is CircumstanceChanged:
        return None  # both may be reported before they take effect
    assert_never(event)


def digest(type_: str, case_id: str, time: datetime, payload: bytes) -> bytes:
    """Return the SHA-256 that tells two contents under one id apart, 32 bytes."""
    head = f"{type_}\n{case_id}\n{time.astimezone(UTC).isoformat()}\n"
    return sha256(head.encode() + payload).digest()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record ready to be produced."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def encode(
    event: Event | Mapping[str, Any],
    *,
    event_id: UUID,
    case_id: str,
    source: str,
    time: datetime,
    type_: str | None = None,
) -> Outgoing:
    """Return the binary-mode record of an input event; ``event`` may carry extra fields as a dict.

    Raises:
        ValidationError: an attribute does not fit the profile.
    """
    if isinstance(event, Mapping):
        if type_ is None:
            raise TypeError("a mapping needs type_")
        name, value = type_, canonical(event)
    else:
        name = type_ or _TYPE_OF[type(event)]
        value = event.model_dump_json().encode()
    envelope = Envelope(id=event_id, source=source, type=name, time=time, subject=case_id)
    return Outgoing(name, case_id.encode(), value, tuple(write(envelope)))
