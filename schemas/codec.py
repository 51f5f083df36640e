"""Decode Kafka records into typed events and encode them. Pure; the auditor uses it too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple, assert_never
from uuid import UUID

import orjson
from pydantic import ValidationError

from schemas import canary, national_number
from schemas.envelope import Envelope, Headers, plain, read, summary, write
from schemas.events import (
    EVENT_TYPES,
    AppointmentMissed,
    AppointmentPlanned,
    CircumstanceChanged,
    Event,
    FollowUpEnded,
    InterviewCompleted,
    OqtIssued,
    ProposalAnswered,
)
from schemas.exact_json import canonical
from schemas.fields import NearlyKnown, known_fields
from schemas.instants import rfc3339
from schemas.producers import Producer, Producers, type_of
from schemas.reader import reader
from schemas.rejected import Reason, Rejected
from schemas.types import MAX_VALUE_BYTES

_VERSIONED: Final = re.compile(r"^(?P<family>.+)\.v[0-9]+$")
_FAMILIES: Final = {name.rsplit(".v", 1)[0] for name in EVENT_TYPES}
_CLOCK_SKEW: Final = timedelta(hours=1)
MAX_AHEAD: Final = timedelta(minutes=5)
"""By how much a time may lie ahead of the record's arrival, because clocks differ."""
_TYPE_OF: Final = {model: name for name, model in EVENT_TYPES.items()}
READERS: Final[Mapping[str, Callable[[bytes | str], Event | None]]] = {
    name: reader(model) for name, model in EVENT_TYPES.items()
}
"""Read the payload of an event of each type, or return None: its model judges that one."""


class Decoded(NamedTuple):
    """One event as the log stores it.

    ``payload`` is the known fields of the received data as canonical JSON. ``digest`` is the
    SHA-256 of type, case, time and payload: an id that returns with another digest was reused.
    ``unknown`` is the number of fields that were dropped.
    """

    event_id: UUID
    case_id: str
    type: str
    source: str
    time: datetime
    payload: bytes
    digest: bytes
    event: Event
    unknown: int = 0

    @property
    def key(self) -> tuple[UUID, str]:
        """Return id and source, which CloudEvents makes unique together."""
        return self.event_id, self.source


def decode(
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    now: datetime | None = None,
    max_ahead: timedelta = MAX_AHEAD,
    producers: Producers | None = None,
) -> Decoded:
    """Return the event in one record of an input topic.

    ``now`` is when the record arrived. The event's time, and each time in it that can't be known in
    advance, may be later by ``max_ahead`` at most. Without ``now`` this is not tested.

    ``producers`` says what the event's source may say at ``now``. Without it this is not tested.

    Raises:
        Rejected: the record is not a valid event. No input raises anything else.
    """
    headers = tuple(headers)
    latest = None if now is None else now + max_ahead
    usual = _decode_usual(topic, key, value, headers, now, latest, producers)
    return usual or decode_any(topic, key, value, headers, now, max_ahead, producers)


def _decode_usual(
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    now: datetime | None,
    latest: datetime | None,
    producers: Producers | None,
) -> Decoded | None:
    """Return the event of a record in its usual form; None leaves the verdict to ``decode_any``.

    Usual are plain headers, JSON without white space or repeated keys, known fields only, and
    instants to the microsecond at most. Most records are, and this costs half of what
    ``decode_any`` does.
    """
    if key is None or value is None or len(value) > MAX_VALUE_BYTES:
        return None
    envelope = plain(headers)
    if envelope is None:
        return None
    event_id, source, type_, case_id, time, time_text = envelope
    read_event = READERS.get(type_)
    if read_event is None or (type_ != topic and type_ != type_of(topic)):
        return None
    if key != case_id.encode() or _is_reserved(case_id, source, topic):
        return None
    try:
        payload = orjson.dumps(orjson.loads(value), option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):
        return None
    # Nothing that an event may hold is written longer than it was read, so with equal lengths
    # nothing was dropped: no white space, no repeated key.
    if len(payload) != len(value):
        return None
    event = read_event(payload)
    if event is None or national_number.contains(f"{case_id} {_references(event)}"):
        return None
    if producers is not None:
        producer = producers.find(source, now)
        if producer is None or type_ not in producer.types or topic not in producer.topics:
            return None
        if type(event) is CircumstanceChanged and event.circumstance not in producer.circumstances:
            return None
    occurred_at = _occurred_at(event)
    if occurred_at is not None and occurred_at > time + _CLOCK_SKEW:
        return None
    if latest is not None and (time > latest or _ahead(event, latest) is not None):
        return None
    content = _content(type_, case_id, time_text, payload)
    in_utc = time.astimezone(UTC)
    return Decoded(event_id, case_id, type_, source, in_utc, payload, content, event)


def decode_any(
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    now: datetime | None = None,
    max_ahead: timedelta = MAX_AHEAD,
    producers: Producers | None = None,
) -> Decoded:
    """Return what ``decode`` does, of a record in whatever form, at twice the cost."""
    envelope, data = read(key, value, headers)
    model = EVENT_TYPES.get(envelope.type)
    case_id = envelope.subject
    if model is None:
        match = _VERSIONED.match(envelope.type)
        if match and match["family"] in _FAMILIES:
            detail = "a version of this type that is not known here"
            raise Rejected(Reason.UNKNOWN_VERSION, detail, case_id)
        raise Rejected(Reason.UNKNOWN_TYPE, "a type that is not in the vocabulary", case_id)
    if envelope.type != topic and envelope.type != type_of(topic):
        raise Rejected(Reason.WRONG_TOPIC, "the type does not belong on this topic", case_id)
    if _is_reserved(case_id, envelope.source, topic):
        _refuse_borrowed(case_id, envelope.source, topic)
    producer = None
    if producers is not None:
        producer = _producer(envelope, topic, now, producers)
    payload, unknown = canonical(data), 0
    try:
        event = model.read_json(payload, extra="forbid")
    except ValidationError:
        event, payload, unknown = _read_known(model, data, case_id)
    if national_number.contains(_references(event)):
        detail = "a reference contains a national number; send an opaque reference instead"
        raise Rejected(Reason.SCHEMA, detail, case_id)
    if (
        producer is not None
        and type(event) is CircumstanceChanged
        and event.circumstance not in producer.circumstances
    ):
        detail = "circumstance: beyond what this source may say; see the table of producers"
        raise Rejected(Reason.BEYOND_AUTHORITY, detail, case_id)
    time = envelope.time.astimezone(UTC)
    occurred_at = _occurred_at(event)
    if occurred_at is not None and occurred_at > time + _CLOCK_SKEW:
        raise Rejected(Reason.SCHEMA, "it was reported before it happened", case_id)
    if now is not None:
        latest = now + max_ahead
        field = "time" if time > latest else _ahead(event, latest)
        if field is not None:
            detail = f"{field}: later than the record's arrival; check the producer's clock"
            raise Rejected(Reason.AHEAD, detail, case_id)
    return Decoded(  # by position: by name it costs twice as much
        envelope.id,
        case_id,
        envelope.type,
        envelope.source,
        time,
        payload,
        digest(envelope.type, case_id, time, payload),
        event,
        unknown,
    )


def _read_known(
    model: type[Event], data: Mapping[str, Any], case_id: str
) -> tuple[Event, bytes, int]:
    """Return the event, its payload of known fields, and the number of unknown fields."""
    try:
        known, unknown = known_fields(model, data)
    except NearlyKnown as error:
        detail = f"{error.field}: a field is spelled nearly like it; spell it as in the schema"
        raise Rejected(Reason.SCHEMA, detail, case_id) from None
    payload = canonical(known)
    try:
        return model.read_json(payload), payload, unknown
    except ValidationError as error:
        raise Rejected(Reason.SCHEMA, summary(error), case_id) from None


def _references(event: Event) -> str:
    """Return the references of a producing system in an event, as one text."""
    if type(event) is OqtIssued:
        first = event.first_appointment
        return event.order_id if first is None else f"{event.order_id} {first.appointment_id}"
    if type(event) is AppointmentMissed or type(event) is AppointmentPlanned:
        return f"{event.order_id} {event.appointment_id}"
    if type(event) is InterviewCompleted:
        then = event.next_appointment
        ids = f"{event.order_id} {event.interview_id} {event.appointment_id}"
        return ids if then is None else f"{ids} {then.appointment_id}"
    if type(event) is CircumstanceChanged:
        return f"{event.order_id} {event.reference}"
    if type(event) is FollowUpEnded:
        return event.order_id or ""
    if type(event) is ProposalAnswered:
        return ""
    assert_never(event)


def _occurred_at(event: Event) -> datetime | None:
    """Return when a past fact occurred, else None. An absence can't be reported in advance."""
    if type(event) is AppointmentMissed:
        return event.scheduled_at
    if type(event) is InterviewCompleted:
        return event.held_at
    if type(event) is ProposalAnswered:
        return event.answered_at
    if (
        type(event) is OqtIssued
        or type(event) is CircumstanceChanged
        or type(event) is AppointmentPlanned
        or type(event) is FollowUpEnded
    ):
        return None  # these may be reported before they take effect
    assert_never(event)


def _producer(
    envelope: Envelope, topic: str, now: datetime | None, producers: Producers
) -> Producer:
    """Return what the event's source may say on this topic, at the record's arrival."""
    producer = producers.find(envelope.source, now)
    if producer is None:
        detail = "source: not in the table of producers at this time; name the publishing system"
        raise Rejected(Reason.UNKNOWN_SOURCE, detail, envelope.subject)
    if envelope.type not in producer.types:
        detail = "type: beyond what this source may say; see the table of producers"
        raise Rejected(Reason.BEYOND_AUTHORITY, detail, envelope.subject)
    if topic not in producer.topics:
        detail = "source: not the one that writes to this topic; see the table of producers"
        raise Rejected(Reason.UNKNOWN_SOURCE, detail, envelope.subject)
    return producer


def _is_reserved(case_id: str, source: str, topic: str) -> bool:
    """Return whether a name of the canary is used."""
    return case_id.startswith(canary.PREFIX) or source == canary.SOURCE or canary.is_topic(topic)


def _refuse_borrowed(case_id: str, source: str, topic: str) -> None:
    """Refuse a name of the canary from a producer, and a person's case from the canary.

    Either would hide a person: cases and events of the canary are counted nowhere.
    """
    if source != canary.SOURCE:
        if case_id.startswith(canary.PREFIX):
            detail = f"subject: case ids that start with {canary.PREFIX} belong to the canary"
            raise Rejected(Reason.RESERVED, f"{detail}; use another id", case_id)
        detail = "source: this topic belongs to the canary; use the topic of the type"
        raise Rejected(Reason.RESERVED, detail, case_id)
    if not (canary.is_case_id(case_id) and canary.is_topic(topic)):
        detail = f"source: {canary.SOURCE} belongs to the canary; name the publishing system"
        raise Rejected(Reason.RESERVED, detail, case_id)


def _ahead(event: Event, latest: datetime) -> str | None:
    """Return the field that is later than ``latest`` and can't be known in advance, if any.

    An appointment, a circumstance and an end may be reported before they take effect.
    """
    if type(event) is OqtIssued:
        if event.notified_at > latest:
            return "notified_at"
        if event.residence_since is not None and event.residence_since > latest:
            return "residence_since"
        if event.lodging_since is not None and event.lodging_since > latest:
            return "lodging_since"
        return None
    if type(event) is AppointmentMissed:
        return "scheduled_at" if event.scheduled_at > latest else None
    if type(event) is InterviewCompleted:
        return "held_at" if event.held_at > latest else None
    if type(event) is ProposalAnswered:
        return "answered_at" if event.answered_at > latest else None
    if type(event) is AppointmentPlanned:
        invitation = event.invitation
        return "invitation.sent_at" if invitation and invitation.sent_at > latest else None
    if type(event) is CircumstanceChanged or type(event) is FollowUpEnded:
        return None
    assert_never(event)


def digest(type_: str, case_id: str, time: datetime, payload: bytes) -> bytes:
    """Return the SHA-256 of an event's content, 32 bytes, to detect a reused event id."""
    return _content(type_, case_id, rfc3339(time.astimezone(UTC)), payload)


def _content(type_: str, case_id: str, time: str, payload: bytes) -> bytes:
    return sha256(f"{type_}\n{case_id}\n{time}\n".encode() + payload).digest()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One Kafka record, ready to produce."""

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
    """Return the binary-mode record of an input event, on the topic of its type.

    The canary's events are on its own topics. ``event`` may be a mapping, which may hold unknown
    fields and requires ``type_``.

    Raises:
        ValidationError: an attribute does not fit the profile.
        TypeError: a mapping without ``type_``.
    """
    if isinstance(event, Mapping):
        if type_ is None:
            raise TypeError("pass type_ when the event is a mapping")
        name, value = type_, canonical(event)
    else:
        name = type_ or _TYPE_OF[type(event)]
        value = event.to_json()
    envelope = Envelope(id=event_id, source=source, type=name, time=time, subject=case_id)
    topic = canary.topic(name) if source == canary.SOURCE else name
    return Outgoing(topic, case_id.encode(), value, tuple(write(envelope)))
