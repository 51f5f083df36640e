"""Check that every input record is in the log or a dead letter, and that nothing else is.

One pass over the input topics serves three checks: ``log``, ``offsets`` and ``producer``. It looks
up the records in the database batch by batch, and keeps a mark of eight bytes for each of them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from schemas.codec import Decoded
from schemas.rejected import Reason, Rejected
from streams.audit.batches import batches, record_batches
from streams.audit.database import Snapshot
from streams.audit.decoding import Authority
from streams.audit.findings import Check
from streams.audit.log import Log, LogPosition, LogRecord, OffsetRange, Partition
from streams.audit.seen import SeenRecords
from streams.audit.stored import Found, OversizedBatch, StoredDeadLetter, StoredInput

_OUT_OF_ORDER: Final = timedelta(hours=1)
"""How much later an event may be recorded than one behind it: workers retry, and clocks differ."""

TOO_LARGE: Final = 8 * 1024 * 1024
"""Bytes of a batch, decompressed, above which a worker passes it over."""
_OF_A_RECORD: Final = 32
"""Most bytes that a record takes in a batch, apart from its key, value and headers."""


@dataclass(slots=True)
class InputRecords:
    """Result of one pass over the input topics."""

    counts: Counter[str] = field(default_factory=Counter)
    """Records by topic."""
    pending: int = 0
    """Records that are not committed."""
    missing: dict[Partition, LogPosition] = field(default_factory=dict)
    """First record below the committed offset that is not in the database."""
    first_seen: dict[Partition, tuple[bytes, str]] = field(default_factory=dict)
    """Id and source of the first event that is stored at its record's position, by partition."""
    exempt_ids: set[bytes] = field(default_factory=set)
    """Event ids in records that are dead letters or, unless drained, not yet committed.

    Collected only for check ``producer``: they are as many as the dead letters.
    """
    passed_over: Counter[OversizedBatch] = field(default_factory=Counter)
    """Bytes of the records in each batch that a person has accepted as too large to read."""


def read_input(
    check: Check,
    log: Log,
    stored: StoredInput,
    spans: Mapping[Partition, OffsetRange],
    committed: Mapping[Partition, int],
    allowed: Authority,
    *,
    drained: bool,
    with_exempt_ids: bool,
) -> InputRecords:
    """Compare every record with the stored events and dead letters, in both directions.

    Check ``log`` verifies:

    - A record below the committed offset is in the log with the digest of its content, or is a dead
      letter.
    - An invalid record is a dead letter and not an event.
    - A valid record is not a dead letter, unless its id was reused, a time in it lay ahead of its
      arrival, our code failed on it, or a person replayed or discarded it.
    - No event or dead letter refers to a position that has no record, or has a different one.
    - A batch that was passed over as too large, and accepted by a person, is too large.

    With ``drained``, it also verifies that every record is committed.
    """
    input_records = InputRecords()
    seen = SeenRecords()
    for record, event, found in _looked_up(log.records(spans), stored, allowed):
        place = record.place
        partition = Partition(place.topic, place.partition)
        is_committed = place.offset < committed.get(partition, 0)
        letter = found.dead_letters.get(place)
        input_records.counts[place.topic] += 1
        input_records.pending += not is_committed
        seen.add(place)
        if isinstance(event, Rejected):
            is_stored = _check_invalid(check, record, letter, event.reason, allowed)
        else:
            is_stored = _check_valid(check, event, record, letter, stored, found, allowed)
            key = event.event_id.bytes, event.source
            entry = found.events.get(key)
            if entry is not None and entry.place == place:
                seen.add_event(place, *key)
                input_records.first_seen.setdefault(partition, key)
        if letter is not None:
            _check_dead_letter(check, record, letter)
        if is_committed:
            check.compared += 1
            batch = None if is_stored else stored.oversized(place)
            if batch is not None:
                input_records.passed_over[batch] += _size(record)
            elif not is_stored:
                input_records.missing.setdefault(partition, place)
                check.found(place, "committed, but neither in the log nor a dead letter")
        if with_exempt_ids and (letter is not None or not (is_committed or drained)):
            input_records.exempt_ids |= _claimed_ids(record, event)
    for batch, size in input_records.passed_over.items():
        place = LogPosition(batch.topic, batch.partition, batch.first_offset)
        detail = f"committed and passed over as too large, but its batch holds {size} bytes"
        check.expect(size > TOO_LARGE, place, detail)
    _check_positions(check, stored, seen, spans)
    if drained and input_records.pending:
        check.found("input topics", f"{input_records.pending} records not committed")
    return input_records


def _looked_up(
    records: Iterable[LogRecord], stored: StoredInput, allowed: Authority
) -> Iterator[tuple[LogRecord, Decoded | Rejected, Found]]:
    """Yield each record with its event, and with what is stored of the records of its batch."""
    for batch in record_batches(records):
        decoded = [_decoded(record, allowed) for record in batch]
        events = [event for event in decoded if isinstance(event, Decoded)]
        found = stored.find([record.place for record in batch], events)
        for record, event in zip(batch, decoded, strict=True):
            yield record, event, found


def _size(record: LogRecord) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers + _OF_A_RECORD


def _decoded(record: LogRecord, allowed: Authority) -> Decoded | Rejected:
    try:
        return allowed.decode(record)
    except Rejected as rejection:
        return rejection


def _check_invalid(
    check: Check,
    record: LogRecord,
    letter: StoredDeadLetter | None,
    reason: Reason,
    allowed: Authority,
) -> bool:
    """Check an invalid record; return whether it is in the database."""
    replayed = letter is not None and letter.resolution == "replayed"
    if letter is not None and replayed and not allowed.may_be_replayed(record):
        detail = f"dead letter {letter.number} is replayed, but still invalid: {reason}"
        check.found(record.place, detail)
    return letter is not None


def _lies_ahead(record: LogRecord, allowed: Authority) -> bool:
    """Return whether a time in a record is later than its arrival, by whatever was allowed then."""
    try:
        allowed.decode(record, timedelta())
    except Rejected as rejection:
        return rejection.reason is Reason.AHEAD
    return record.timestamp is None


def _check_valid(
    check: Check,
    event: Decoded,
    record: LogRecord,
    letter: StoredDeadLetter | None,
    stored: StoredInput,
    found: Found,
    allowed: Authority,
) -> bool:
    """Check a valid record; return whether it is in the database."""
    place = record.place
    entry = found.events.get((event.event_id.bytes, event.source))
    same = entry is not None and (entry.digest == event.digest or stored.says(event))
    if letter is None:
        return same
    if letter.resolution == "replayed":
        check.expect(same, place, f"dead letter {letter.number} is replayed, but not in the log")
    elif letter.reason == Reason.ID_REUSED:
        other = not same and event.event_id.bytes in found.ids
        check.expect(other, place, f"dead letter {letter.number}: its event id was not reused")
    elif letter.reason == Reason.AHEAD:
        check.expect(
            _lies_ahead(record, allowed),
            place,
            f"dead letter {letter.number}: no time in it lies ahead",
        )
    elif letter.reason != Reason.BUG and letter.resolution != "discarded":
        # A discarded dead letter stays discarded, even when a later version could read its record.
        check.found(place, f"dead letter {letter.number} ({letter.reason}) has a valid record")
    return True


def _check_dead_letter(check: Check, record: LogRecord, letter: StoredDeadLetter) -> None:
    """Check that a dead letter keeps its record's key and value unchanged."""
    if letter.whole_digest is not None:
        parts = sha256(record.key or b"").digest() + sha256(record.value or b"").digest()
        same = letter.whole_digest == sha256(parts).digest()
        check.expect(same, record.place, f"dead letter {letter.number} differs from its record")
        return
    same = letter.of_log or (letter.key, letter.value) == (_sha(record.key), _sha(record.value))
    check.expect(same, record.place, f"dead letter {letter.number} differs from its record")


def _check_positions(
    check: Check, stored: StoredInput, seen: SeenRecords, spans: Mapping[Partition, OffsetRange]
) -> None:
    """Check that each stored event and dead letter has its record at its position."""
    for event_id, source, place, gone in stored.events():
        check.compared += 1
        at_place = gone or seen.has_event(place, event_id.bytes, source)
        if not at_place and _retained(place, spans):
            check.found(place, f"event {event_id} is not at this position")
    for number, place in stored.dead_letters():
        check.compared += 1
        if not seen.has_record(place) and _retained(place, spans):
            check.found(place, f"dead letter {number} has no record at this position")


def check_times(
    check: Check,
    snap: Snapshot,
    first_seen: Mapping[Partition, tuple[bytes, str]],
    spans: Mapping[Partition, OffsetRange],
) -> None:
    """Report events that can't have come from Kafka, although it has deleted their position.

    A partition is read in order, so an event below what Kafka retains was recorded before the first
    one that it retains. A replayed dead letter is recorded later. Where nothing is retained, there
    is nothing to compare with.
    """
    parts = sorted(spans)
    rows = snap.rows(
        """
        WITH kept AS (
            SELECT topic, number, low, (
                SELECT recorded_at FROM case_event
                WHERE event_id = first_seen AND source = first_source) AS since
            FROM unnest(%s::text[], %s::integer[], %s::bigint[], %s::uuid[], %s::text[])
                AS part (topic, number, low, first_seen, first_source)
        )
        SELECT event_id, event.topic, event."partition", event."offset"
        FROM case_event AS event JOIN kept
          ON kept.topic = event.topic AND kept.number = event."partition"
        WHERE event."offset" < low
          AND (event."offset" < 0 OR recorded_at > since + %s::interval)
          AND NOT EXISTS (
            SELECT FROM dead_letter AS letter
            WHERE letter.topic = event.topic AND letter."partition" = event."partition"
              AND event."offset" IN (letter."offset", letter.former_offset)
              AND letter.resolution = 'replayed')
        ORDER BY 2, 3, 4
        """,
        [part.topic for part in parts],
        [part.number for part in parts],
        [spans[part].low for part in parts],
        [UUID(bytes=first_seen[part][0]) if part in first_seen else None for part in parts],
        [first_seen[part][1] if part in first_seen else None for part in parts],
        _OUT_OF_ORDER,
    )
    for event_id, topic, number, offset in rows:
        place = LogPosition(topic, number, offset)
        check.found(place, f"event {event_id} was recorded later than what follows its position")


def check_gaps(check: Check, snap: Snapshot) -> None:
    """Report every gap that is not resolved: offsets that no worker ever saw."""
    rows = snap.rows(
        """
        SELECT topic, "partition", first_offset, next_offset, reason FROM input_gap
        WHERE resolved_at IS NULL ORDER BY gap_id
        """
    )
    for topic, number, first, after, reason in rows:
        place = LogPosition(topic, number, first)
        check.found(place, f"offsets {first} to {after - 1} were never seen: {reason}")


def _retained(place: LogPosition, spans: Mapping[Partition, OffsetRange]) -> bool:
    """Return whether a position can be checked: retention has not deleted its record."""
    span = spans.get(Partition(place.topic, place.partition))
    return span is None or place.offset >= span.low


def check_offsets(
    check: Check,
    input_records: InputRecords,
    spans: Mapping[Partition, OffsetRange],
    committed: Mapping[Partition, int],
) -> None:
    """Check that no committed offset is ahead of the database or past its partition's end.

    Records missing from the database, found by check ``log``, are reported once per partition.
    """
    for partition, offset in sorted(committed.items()):
        check.compared += 1
        if partition in input_records.missing:
            check.found(
                partition, f"committed {offset}, missing {input_records.missing[partition]}"
            )
        high = spans[partition].high
        check.expect(
            offset <= high, partition, f"committed {offset}, but the partition ends at {high}"
        )


def check_producer(
    check: Check, produced: Iterable[UUID], stored: StoredInput, input_records: InputRecords
) -> None:
    """Check that every event id acknowledged to a producer is in the log or a dead letter.

    While the pipeline runs, ids of records not yet committed are not checked.
    """
    for event_ids in batches(produced):
        known = stored.known(event_ids)
        for event_id in event_ids:
            check.compared += 1
            if event_id not in known and event_id.bytes not in input_records.exempt_ids:
                check.found(
                    event_id,
                    "acknowledged to its producer, but neither in the log nor a dead letter",
                )


def _claimed_ids(record: LogRecord, event: Decoded | Rejected) -> set[bytes]:
    """Return the event ids in a record; a rejected one may have one in a header and the body."""
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
