"""Every input record is in the log or in the dead letters, and nothing else is.

One pass over the input topics serves three checks: ``log``, ``offsets`` and ``producer``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from schemas.codec import Decoded, decode
from schemas.envelope import Reason, Rejected
from streams.audit.findings import Check
from streams.audit.log import Log, LogPosition, LogRecord, OffsetRange, Partition
from streams.audit.stored import StoredDeadLetter, StoredInput


@dataclass(slots=True)
class ReceivedRecords:
    """What one pass over the input topics came to."""

    records: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    missing: dict[Partition, LogPosition] = field(default_factory=dict)
    """First record below the committed offset that the database does not hold."""
    excused: set[bytes] = field(default_factory=set)
    """Ids that records claim which are dead letters, or are not yet committed."""


def read_input(
    check: Check,
    log: Log,
    held: StoredInput,
    spans: Mapping[Partition, OffsetRange],
    committed: Mapping[Partition, int],
    *,
    drained: bool,
) -> ReceivedRecords:
    """Compare every record with what is held, then everything held with the records.

    Proves, as check ``log``: a record below the committed offset is an event of the log with the
    digest of its content, or a dead letter; a rejected record is a dead letter and no event; a
    good record is no dead letter, unless its id was reused, our code failed on it, or it was
    replayed; and no event or dead letter names a place whose record is not there or is another.
    """
    reading = ReceivedRecords()
    for record in log.records(spans):
        place = record.place
        partition = Partition(place.topic, place.partition)
        settled = place.offset < committed.get(partition, 0)
        letter = held.letters.get(place)
        reading.records[place.topic] += 1
        reading.pending += not settled
        event = _decoded(record)
        if isinstance(event, Rejected):
            applied = _rejected(check, place, letter, event.reason)
        else:
            applied = _good(check, event, place, letter, held)
        if letter is not None:
            _kept_whole(check, record, letter)
        if settled:
            check.compared += 1
            if not applied:
                reading.missing.setdefault(partition, place)
                check.found(place, "committed, but neither in the log nor a dead letter")
        if letter is not None or not (settled or drained):
            reading.excused |= _claimed(record, event)
    _nothing_else(check, held, spans)
    if drained and reading.pending:
        check.found("input topics", f"{reading.pending} records not committed")
    return reading


def _decoded(record: LogRecord) -> Decoded | Rejected:
    try:
        return decode(record.place.topic, record.key, record.value, record.headers)
    except Rejected as rejection:
        return rejection


def _rejected(
    check: Check, place: LogPosition, letter: StoredDeadLetter | None, reason: Reason
) -> bool:
    """Judge a record that can't be an event; return whether the database holds it."""
    if letter is not None and letter.resolution == "replayed":
        check.found(place, f"dead letter {letter.number} is replayed, but {reason} still")
    return letter is not None


def _good(
    check: Check,
    event: Decoded,
    place: LogPosition,
    letter: StoredDeadLetter | None,
    held: StoredInput,
) -> bool:
    """Judge a record that is an event; return whether the database holds it."""
    entry = held.entries.get(event.event_id.bytes)
    same = entry is not None and entry.digest == event.digest
    if entry is not None and entry.place == place:
        entry.seen = True
    if letter is None:
        return same
    if letter.resolution == "replayed":
        check.expect(same, place, f"dead letter {letter.number} is replayed, but not in the log")
    elif letter.reason == Reason.ID_REUSED:
        other = entry is not None and not same
        check.expect(other, place, f"dead letter {letter.number}: its id was not reused")
    elif letter.reason != Reason.BUG and letter.resolution != "discarded":
        # What a person discarded stays so, even when a later vocabulary could read it.
        check.found(place, f"dead letter {letter.number} ({letter.reason}) is a good record")
    return True


def _kept_whole(check: Check, record: LogRecord, letter: StoredDeadLetter) -> None:
    letter.seen = True
    whole = (letter.key, letter.value) == (_sha(record.key), _sha(record.value))
    check.expect(whole, record.place, f"dead letter {letter.number} is not the record as it was")


def _nothing_else(check: Check, held: StoredInput, spans: Mapping[Partition, OffsetRange]) -> None:
    for event_id, entry in held.entries.items():
        if not entry.seen and _on_topic(entry.place, spans):
            check.found(entry.place, f"event {UUID(bytes=event_id)} does not stand there")
    for place, letter in held.letters.items():
        if not letter.seen and _on_topic(place, spans):
            check.found(place, f"dead letter {letter.number} does not stand there")
    check.compared += len(held.entries) + len(held.letters)


def _on_topic(place: LogPosition, spans: Mapping[Partition, OffsetRange]) -> bool:
    """Whether the place can be judged: retention has not taken its record."""
    span = spans.get(Partition(place.topic, place.partition))
    return span is None or place.offset >= span.low


def check_offsets(
    check: Check,
    reading: ReceivedRecords,
    spans: Mapping[Partition, OffsetRange],
    committed: Mapping[Partition, int],
) -> None:
    """Prove that no committed offset is ahead of the database, or of its partition.

    The first half is the comparison of check ``log``, told once for each partition.
    """
    for partition, offset in sorted(committed.items()):
        check.compared += 1
        if partition in reading.missing:
            check.found(partition, f"committed {offset}, missing {reading.missing[partition]}")
        high = spans[partition].high
        check.expect(offset <= high, partition, f"committed {offset}, but it ends at {high}")


def check_producer(
    check: Check, produced: Iterable[UUID], held: StoredInput, reading: ReceivedRecords
) -> None:
    """Prove that every id a producer saw acknowledged is an event or a dead letter.

    While the stream runs, ids of records not yet committed are not judged.
    """
    for event_id in produced:
        check.compared += 1
        if event_id.bytes not in held.entries and event_id.bytes not in reading.excused:
            check.found(event_id, "acknowledged to its producer, but nowhere")


def _claimed(record: LogRecord, event: Decoded | Rejected) -> set[bytes]:
    if isinstance(event, Decoded):
        return {event.event_id.bytes}
    claims: list[object] = [
        (value or b"").decode(errors="replace") for name, value in record.headers if name == "ce_id"
    ]
    try:
        body = json.loads(record.value or b"")
        claims.append(body.get("id") if isinstance(body, dict) else None)
    except (ValueError, RecursionError):
        pass
    found = set()
    for claim in claims:
        try:
            found.add(UUID(str(claim)).bytes)
        except ValueError:
            continue
    return found


def _sha(raw: bytes | None) -> bytes | None:
    return None if raw is None else sha256(raw).digest()
