"""Malformed records, each with one flaw that the codec must recognise."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from schemas.codec import Outgoing, encode
from schemas.events import EVENT_TYPES, INPUT_TOPICS, Event
from schemas.rejected import Reason
from schemas.types import MAX_VALUE_BYTES, fields_of
from streams.simulate.dice import Dice, Weighted


class Flaw(StrEnum):
    """Flaw of a malformed record."""

    NOT_JSON = "not_json"
    NOT_A_NUMBER = "not_a_number"
    REPEATED_KEY = "repeated_key"
    MISSING_FIELD = "missing_field"
    UNKNOWN_CODE = "unknown_code"
    UNKNOWN_VERSION = "unknown_version"
    UNKNOWN_TYPE = "unknown_type"
    WRONG_TOPIC = "wrong_topic"
    WRONG_KEY = "wrong_key"
    NO_HEADERS = "no_headers"
    NATIONAL_NUMBER_KEY = "national_number_key"
    OVERSIZED = "oversized"
    ID_REUSED = "id_reused"


REASON: Final[Mapping[Flaw, Reason]] = {
    Flaw.NOT_JSON: Reason.UNDECODABLE,
    Flaw.NOT_A_NUMBER: Reason.UNDECODABLE,
    Flaw.REPEATED_KEY: Reason.UNDECODABLE,
    Flaw.MISSING_FIELD: Reason.SCHEMA,
    Flaw.UNKNOWN_CODE: Reason.SCHEMA,
    Flaw.UNKNOWN_VERSION: Reason.UNKNOWN_VERSION,
    Flaw.UNKNOWN_TYPE: Reason.UNKNOWN_TYPE,
    Flaw.WRONG_TOPIC: Reason.WRONG_TOPIC,
    Flaw.WRONG_KEY: Reason.WRONG_KEY,
    Flaw.NO_HEADERS: Reason.ENVELOPE,
    Flaw.NATIONAL_NUMBER_KEY: Reason.ENVELOPE,
    Flaw.OVERSIZED: Reason.OVERSIZED,
    Flaw.ID_REUSED: Reason.ID_REUSED,
}
"""Reason for which each flaw is rejected. The codec rejects all but ``ID_REUSED``: such a record
decodes, and only the log, which stores the ids, can recognise it."""

FLAWS: Final = Weighted.of(
    (flaw, 0.5 if flaw in (Flaw.ID_REUSED, Flaw.OVERSIZED) else 1.0) for flaw in Flaw
)


def malformed_record(
    flaw: Flaw,
    dice: Dice,
    event: Event,
    *,
    event_id: UUID,
    case_id: str,
    source: str,
    time: datetime,
) -> Outgoing:
    """Return a record of ``event`` with one flaw.

    For ``ID_REUSED`` pass the id of a record already sent and another ``time``.
    """
    record = encode(event, event_id=event_id, case_id=case_id, source=source, time=time)
    change = _CHANGES.get(flaw)
    return record if change is None else change(record, dice)


def _with_header(record: Outgoing, name: str, text: str) -> Outgoing:
    headers = tuple((n, text.encode() if n == name else value) for n, value in record.headers)
    return replace(record, headers=headers)


def _cut_off(record: Outgoing, dice: Dice) -> Outgoing:
    return replace(record, value=record.value[: dice.whole(1, len(record.value) - 1)])


def _append(record: Outgoing, field: bytes) -> Outgoing:
    return replace(record, value=record.value[:-1] + b"," + field + b"}")


def _repeated_key(record: Outgoing, _: Dice) -> Outgoing:
    first = next(iter(json.loads(record.value)))
    return _append(record, b'"%s":"said-twice"' % first.encode())


def _missing_field(record: Outgoing, dice: Dice) -> Outgoing:
    fields = fields_of(EVENT_TYPES[record.topic])
    required = [name for name, field in fields.items() if field.is_required()]
    data = json.loads(record.value)
    del data[dice.any(required)]
    return replace(record, value=json.dumps(data).encode())


def _unknown_code(record: Outgoing, _: Dice) -> Outgoing:
    field = _CODED[record.topic]
    data = json.loads(record.value) | {field: "not-in-the-list"}
    return replace(record, value=json.dumps(data).encode())


def _wrong_topic(record: Outgoing, dice: Dice) -> Outgoing:
    return replace(record, topic=dice.any([t for t in INPUT_TOPICS if t != record.topic]))


def _wrong_key(record: Outgoing, dice: Dice) -> Outgoing:
    return replace(record, key=dice.token("case").encode())


def _national_number_key(record: Outgoing, dice: Dice) -> Outgoing:
    number = invalid_national_number(dice)
    return replace(_with_header(record, "ce_subject", number), key=number.encode())


def invalid_national_number(dice: Dice) -> str:
    """Return eleven digits in the format of a national number, with wrong check digits.

    They are wrong both for births before 2000 and for births from 2000 on, so the number belongs to
    no person [STDNUM].
    """
    born = f"{dice.whole(40, 99):02d}{dice.whole(1, 12):02d}{dice.whole(1, 28):02d}"
    first_nine = f"{born}{dice.whole(1, 997):03d}"
    valid_checks = {97 - int(prefix + first_nine) % 97 for prefix in ("", "2")}
    return (
        first_nine
        + f"{dice.any([check for check in range(1, 98) if check not in valid_checks]):02d}"
    )


_CODED: Final = {
    "icam.oqt-issued.v1": "lodging",
    "icam.appointment-missed.v1": "justification",
    "icam.interview-completed.v1": "conclusion",
    "icam.circumstance-changed.v1": "circumstance",
    "icam.appointment-planned.v1": "state",
    "icam.proposal-answered.v1": "answer",
    "icam.follow-up-ended.v1": "reason",
}

_CHANGES: Final[Mapping[Flaw, Callable[[Outgoing, Dice], Outgoing]]] = {
    Flaw.NOT_JSON: _cut_off,
    Flaw.NOT_A_NUMBER: lambda record, _: _append(record, b'"measured":NaN'),
    Flaw.REPEATED_KEY: _repeated_key,
    Flaw.MISSING_FIELD: _missing_field,
    Flaw.UNKNOWN_CODE: _unknown_code,
    Flaw.UNKNOWN_VERSION: lambda record, _: _with_header(
        record, "ce_type", record.topic.rsplit(".v", 1)[0] + ".v9"
    ),
    Flaw.UNKNOWN_TYPE: lambda record, _: _with_header(record, "ce_type", "icam.note-added.v1"),
    Flaw.WRONG_TOPIC: _wrong_topic,
    Flaw.WRONG_KEY: _wrong_key,
    Flaw.NO_HEADERS: lambda record, _: replace(record, headers=()),
    Flaw.NATIONAL_NUMBER_KEY: _national_number_key,
    Flaw.OVERSIZED: lambda record, _: _append(record, b'"padding":"%s"' % (b"x" * MAX_VALUE_BYTES)),
}
