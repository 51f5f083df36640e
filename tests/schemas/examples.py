"""One valid event of each type, and the records that contain it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from schemas.codec import Decoded, Outgoing, decode, encode
from schemas.envelope import STRUCTURED, Envelope, write_structured
from schemas.events import EVENT_TYPES, Event

CASE_ID = "case-0001"
EVENT_ID = UUID("6f1f3b2e-7f4b-4d0e-9f5e-000000000001")
SOURCE = "urn:icam:test"
TIME = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

_APPOINTMENT = {
    "appointment_id": "appointment-1",
    "office_id": "gent",
    "at": "2026-03-12T10:00:00+01:00",
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "icam.oqt-issued.v1": {
        "order_id": "order-1",
        "annex": "13",
        "notified_at": "2026-03-02T09:00:00+01:00",
        "notification": {"channel": "commune", "proven": True},
        "departure_term_days": 7,
        "departure_term_reason": "fraud",
        "repeat_order": False,
        "residence_postcode": "9000",
        "interception_postcode": None,
        "lodging": "home",
        "household": {"kind": "family_with_minors", "minors": 2},
        "language": "nl",
        "interpreter_language": "ti",
        "first_appointment": _APPOINTMENT,
    },
    "icam.appointment-missed.v1": {
        "order_id": "order-1",
        "appointment_id": "appointment-1",
        "sequence": 1,
        "scheduled_at": "2026-02-26T10:00:00+01:00",
        "office_id": "gent",
        "invitation": {"delivery": "proven", "language": "nl"},
        "justification": "NONE",
        "review": "none",
    },
    "icam.interview-completed.v1": {
        "order_id": "order-1",
        "interview_id": "interview-1",
        "appointment_id": None,
        "sequence": 1,
        "held_at": "2026-02-26T10:00:00+01:00",
        "office_id": "gent",
        "coach_role": "individual",
        "conclusion": "undecided",
        "cooperation": "cooperating",
        "vulnerability_reviewed": True,
        "next_appointment": {**_APPOINTMENT, "appointment_id": "appointment-2"},
    },
    "icam.circumstance-changed.v1": {
        "order_id": None,
        "circumstance": "asylum_request_pending",
        "state": "begins",
        "effective_at": "2026-03-12T00:00:00Z",
        "reference": "procedure-1",
    },
    "icam.appointment-planned.v1": {
        "order_id": "order-1",
        **_APPOINTMENT,
        "state": "planned",
        "purpose": "first",
        "invitation": {"delivery": "proven", "language": "nl", "sent_at": "2026-03-02T09:00:00Z"},
    },
    "icam.proposal-answered.v1": {
        "escalation_id": "6f1f3b2e-7f4b-4d0e-9f5e-000000000002",
        "round": 1,
        "answer": "postponed",
        "postponed_until": "2026-03-20T00:00:00Z",
        "reason": "awaiting_documents",
        "role": "coach",
        "decision": None,
        "answered_at": "2026-03-02T07:00:00Z",
    },
    "icam.follow-up-ended.v1": {
        "order_id": None,
        "state": "ended",
        "reason": "left_voluntarily",
        "effective_at": "2026-03-02T07:00:00Z",
    },
}
TYPES = list(EXAMPLES)
ORDER = "icam.oqt-issued.v1"


def event(name: str) -> Event:
    return EVENT_TYPES[name].read_json(orjson.dumps(EXAMPLES[name]))


def envelope(name: str) -> Envelope:
    return Envelope(id=EVENT_ID, source=SOURCE, type=name, time=TIME, subject=CASE_ID)


def binary(name: str = ORDER, **extra: Any) -> Outgoing:
    """Return the example's record in binary mode, with extra or replaced fields."""
    return encode(
        {**EXAMPLES[name], **extra},
        event_id=EVENT_ID,
        case_id=CASE_ID,
        source=SOURCE,
        time=TIME,
        type_=name,
    )


def structured(name: str = ORDER, **extra: Any) -> Outgoing:
    """Return the example's record in structured mode, with extra or replaced fields."""
    value = write_structured(envelope(name), {**EXAMPLES[name], **extra})
    headers = (("content-type", STRUCTURED.encode()),)
    return Outgoing(name, CASE_ID.encode(), value, headers)


def decoded(record: Outgoing) -> Decoded:
    return decode(record.topic, record.key, record.value, record.headers)
