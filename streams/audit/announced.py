"""What was decided is announced: the outbox against its topics, the ledger against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from sys import intern
from typing import Final
from uuid import UUID

from schemas.outcomes import ESCALATION_TOPIC
from streams.audit import identity
from streams.audit.database import Snapshot
from streams.audit.findings import Check
from streams.audit.log import Log, LogRecord, OffsetRange, Partition

Spans = Mapping[Partition, OffsetRange]

_SKEW: Final = timedelta(hours=1)
"""How far, generously, a record's timestamp may lie before its row was written: clocks differ."""


@dataclass(slots=True)
class Sent:
    """One outbox row. ``content`` is the SHA-256 of its body's bytes."""

    position: int
    topic: str
    key: str
    content: bytes
    created_at: datetime
    published: bool
    kind: str | None
    times: int = 0
    """Appearances on its topic."""


Outbox = dict[bytes, Sent]


def load(snapshot: Snapshot) -> Outbox:
    """Return the outbox by the bytes of the message id, without bodies."""
    rows = snapshot.rows(
        """
        SELECT message_id, position, topic, key, sha256(convert_to(body::text, 'UTF8')),
               created_at, waiting.position IS NULL, body->>'kind'
        FROM outbox LEFT JOIN outbox_pending AS waiting USING (position) ORDER BY position
        """
    )
    return {
        message_id.bytes: Sent(position, intern(topic), intern(key), *rest)
        for message_id, position, topic, key, *rest in rows
    }


def check_topics(check: Check, log: Log, outbox: Outbox, before: Spans, after: Spans) -> Horizon:
    """Prove that the output topics hold outbox rows only, unchanged, and each key's in order.

    ``before`` was taken before the snapshot of the database and ``after`` after it: a record
    between the two may be of a later row. Repeated records are allowed.
    """
    latest: dict[tuple[Partition, str], int] = {}
    horizon = Horizon(after)
    for record in log.records(after):
        place = record.place
        partition = Partition(place.topic, place.partition)
        check.compared += 1
        horizon.meet(record)
        message_id = _message_id(record)
        sent = outbox.get(message_id.bytes) if message_id else None
        if sent is None:
            known = place.offset < before[partition].high
            check.expect(not known, place, "a record that is no outbox row")
            continue
        if sent.topic != place.topic:
            check.found(place, f"outbox row {sent.position} belongs on {sent.topic}")
            continue
        if record.key != sent.key.encode():
            check.found(place, f"outbox row {sent.position} has another key")
        if record.value is None or sha256(record.value).digest() != sent.content:
            check.found(place, f"outbox row {sent.position} has another body")
        sent.times += 1
        if sent.times == 1:
            last = latest.get((partition, sent.key), 0)
            check.expect(last < sent.position, place, f"row {sent.position} came after row {last}")
            latest[partition, sent.key] = max(last, sent.position)
    return horizon


def check_published(
    check: Check, snapshot: Snapshot, outbox: Outbox, horizon: Horizon, *, drained: bool
) -> None:
    """Prove that every row that does not wait is on its topic; drained, that no row waits."""
    for (position,) in snapshot.rows(
        "SELECT position FROM outbox_pending AS waiting WHERE NOT EXISTS"
        " (SELECT FROM outbox WHERE outbox.position = waiting.position)"
    ):
        check.found(f"outbox {position}", "waits and is not there")
    for sent in outbox.values():
        check.compared += 1
        if not sent.published:
            check.expect(not drained, f"outbox {sent.position}", "not published")
        elif not sent.times and horizon.reaches(sent.topic, sent.created_at):
            check.found(f"outbox {sent.position}", f"marked published, not on {sent.topic}")


def check_rounds(check: Check, snapshot: Snapshot, outbox: Outbox) -> None:
    """Prove that each round is raised once, withdrawn once if it was, and nothing else is said."""
    expected: set[bytes] = set()
    for message_id, kind, reference in _announcements(snapshot):
        check.compared += 1
        expected.add(message_id.bytes)
        sent = outbox.get(message_id.bytes)
        right = sent is not None and (sent.topic, sent.kind) == (ESCALATION_TOPIC, kind)
        check.expect(right, reference, f"no outbox row says that it is {kind}")
    for message, sent in outbox.items():
        if sent.topic == ESCALATION_TOPIC and message not in expected:
            check.found(f"outbox {sent.position}", "says what is not in the ledger")


def _announcements(snapshot: Snapshot) -> Iterator[tuple[UUID, str, str]]:
    rows = snapshot.rows("SELECT escalation_id, round, withdrawn_at IS NULL FROM escalation")
    for escalation_id, number, stands in rows:
        for kind in ("raised",) if stands else ("raised", "withdrawn"):
            message_id = identity.message(escalation_id, kind, number)
            yield message_id, kind, f"{escalation_id}/{number}"


class Horizon:
    """How far back the output topics reach; what retention has taken can't be judged."""

    def __init__(self, spans: Spans) -> None:
        self.records: Counter[str] = Counter()
        self._first: dict[Partition, datetime | None] = {
            partition: None for partition, span in spans.items() if span.low > 0
        }

    def meet(self, record: LogRecord) -> None:
        """Count a record, and note the first one of a partition that has lost its beginning."""
        partition = Partition(record.place.topic, record.place.partition)
        self.records[partition.topic] += 1
        if partition in self._first and self._first[partition] is None:
            self._first[partition] = record.timestamp

    def reaches(self, topic: str, created_at: datetime) -> bool:
        """Whether the record of a row written then would still be there, in whatever partition."""
        starts = [at for partition, at in self._first.items() if partition.topic == topic]
        return all(at is not None and at + _SKEW < created_at for at in starts)


def _message_id(record: LogRecord) -> UUID | None:
    named = [value for name, value in record.headers if name == "ce_id"]
    try:
        return UUID((named[0] or b"").decode()) if len(named) == 1 else None
    except ValueError:
        return None
