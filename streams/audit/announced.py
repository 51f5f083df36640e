"""Check the outbox against the output topics, and the escalation ledger against the outbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from sys import intern
from typing import Final
from uuid import UUID

from schemas.outcomes import CASE_STATE_TOPIC, ESCALATION_TOPIC
from streams.audit import identity
from streams.audit.database import Snapshot
from streams.audit.findings import Check
from streams.audit.log import Log, LogRecord, OffsetRange, Partition

Spans = Mapping[Partition, OffsetRange]

_CLOCK_SKEW: Final = timedelta(hours=1)
"""Most time by which a record's timestamp may precede its outbox row, as clocks differ."""


@dataclass(slots=True)
class OutboxRow:
    """One outbox row. ``content`` is the SHA-256 of its body's bytes."""

    position: int
    topic: str
    key: str
    content: bytes
    created_at: datetime
    published: bool
    kind: str | None
    appearances: int = 0
    """Number of records on its topic that carry this row."""


Outbox = dict[bytes, OutboxRow]


def load(snapshot: Snapshot) -> Outbox:
    """Return the outbox by the bytes of the message id; bodies as digests only."""
    rows = snapshot.rows(
        """
        SELECT message_id, position, topic, key, sha256(convert_to(body::text, 'UTF8')),
               created_at, waiting.position IS NULL, body->>'kind'
        FROM outbox LEFT JOIN outbox_pending AS waiting USING (position) ORDER BY position
        """
    )
    return {
        message_id.bytes: OutboxRow(position, intern(topic), intern(key), *rest)
        for message_id, position, topic, key, *rest in rows
    }


def check_topics(
    check: Check, log: Log, outbox: Outbox, before: Spans, after: Spans
) -> RetentionHorizon:
    """Check that output topics hold outbox rows only, unchanged, and in order for each key.

    ``before`` was read before the snapshot of the database and ``after`` after it: a record between
    the two may come from a row that is not in the snapshot. Repeated records are allowed.
    """
    latest: dict[tuple[Partition, str], int] = {}
    horizon = RetentionHorizon(after)
    for record in log.records(after):
        place = record.place
        partition = Partition(place.topic, place.partition)
        check.compared += 1
        horizon.add(record)
        message_id = _message_id(record)
        row = outbox.get(message_id.bytes) if message_id else None
        if row is None:
            in_snapshot = place.offset < before[partition].high
            check.expect(not in_snapshot, place, "record without an outbox row")
            continue
        if row.topic != place.topic:
            check.found(place, f"record of outbox row {row.position}, which belongs on {row.topic}")
            continue
        if record.key != row.key.encode():
            check.found(place, f"key differs from outbox row {row.position}")
        if record.value is None or sha256(record.value).digest() != row.content:
            check.found(place, f"body differs from outbox row {row.position}")
        row.appearances += 1
        if row.appearances == 1:
            last = latest.get((partition, row.key), 0)
            check.expect(last < row.position, place, f"row {row.position} is after row {last}")
            latest[partition, row.key] = max(last, row.position)
    return horizon


def check_published(
    check: Check, snapshot: Snapshot, outbox: Outbox, horizon: RetentionHorizon, *, drained: bool
) -> None:
    """Check that every row marked published is on its topic; if drained, that none is pending."""
    for (position,) in snapshot.rows(
        "SELECT position FROM outbox_pending AS waiting WHERE NOT EXISTS"
        " (SELECT FROM outbox WHERE outbox.position = waiting.position)"
    ):
        check.found(f"outbox {position}", "pending, but the row does not exist")
    for row in outbox.values():
        check.compared += 1
        if not row.published:
            check.expect(not drained, f"outbox {row.position}", "not published")
        elif not row.appearances and horizon.covers(row.topic, row.created_at):
            check.found(f"outbox {row.position}", f"marked published, not on {row.topic}")


def check_rounds(check: Check, snapshot: Snapshot, outbox: Outbox) -> None:
    """Check that the outbox announces each round as the ledger has it, and nothing else."""
    expected: set[bytes] = set()
    for message_id, kind, reference in _announcements(snapshot):
        check.compared += 1
        expected.add(message_id.bytes)
        row = outbox.get(message_id.bytes)
        announced = row is not None and (row.topic, row.kind) == (ESCALATION_TOPIC, kind)
        check.expect(announced, reference, f"{kind} in the ledger, but not in the outbox")
    for message, row in outbox.items():
        if row.topic == ESCALATION_TOPIC and message not in expected:
            check.found(f"outbox {row.position}", "announces a round that is not in the ledger")


def check_endings(check: Check, snapshot: Snapshot) -> None:
    """Check that ends and reopenings of a case alternate, and that the last is its present state.

    The number announced, which makes the next message id, must be that of the projection.
    """
    rows = snapshot.rows(
        """
        SELECT case_id, endings, ended_at IS NOT NULL, coalesce(said.kinds, '{}')
        FROM case_projection LEFT JOIN (
            SELECT key AS case_id, array_agg(body->>'kind' ORDER BY position) AS kinds
            FROM outbox WHERE topic = %s GROUP BY key) AS said USING (case_id)
        WHERE said.kinds IS NOT NULL OR endings > 0 OR ended_at IS NOT NULL
        """,
        CASE_STATE_TOPIC,
    )
    for case_id, number, ended, kinds in rows:
        check.compared += 1
        expected = ["reopened" if nth % 2 else "ended" for nth in range(len(kinds))]
        check.expect(kinds == expected, case_id, f"announced in this order: {', '.join(kinds)}")
        check.expect(number == len(kinds), case_id, f"{len(kinds)} ends announced, not {number}")
        same = ended == (len(kinds) % 2 == 1)
        check.expect(same, case_id, "its last announced end or reopening is not its present state")


def _announcements(snapshot: Snapshot) -> Iterator[tuple[UUID, str, str]]:
    """Yield message id, kind and reference of each announcement that the ledger implies."""
    rows = snapshot.rows("SELECT escalation_id, round, withdrawn_at IS NULL FROM escalation")
    for escalation_id, number, stands in rows:
        for kind in ("raised",) if stands else ("raised", "withdrawn"):
            message_id = identity.message(escalation_id, kind, number)
            yield message_id, kind, f"{escalation_id}/{number}"


class RetentionHorizon:
    """Oldest instant still covered by the output topics.

    Records that retention has deleted can't be checked.
    """

    def __init__(self, spans: Spans) -> None:
        self.counts: Counter[str] = Counter()
        self._first: dict[Partition, datetime | None] = {
            partition: None for partition, span in spans.items() if span.low > 0
        }

    def add(self, record: LogRecord) -> None:
        """Count a record, and keep the first timestamp of each truncated partition."""
        partition = Partition(record.place.topic, record.place.partition)
        self.counts[partition.topic] += 1
        if partition in self._first and self._first[partition] is None:
            self._first[partition] = record.timestamp

    def covers(self, topic: str, created_at: datetime) -> bool:
        """Return whether every partition of the topic still has records of rows written then."""
        starts = [at for partition, at in self._first.items() if partition.topic == topic]
        return all(at is not None and at + _CLOCK_SKEW < created_at for at in starts)


def _message_id(record: LogRecord) -> UUID | None:
    """Return the record's message id; None unless it has exactly one valid id header."""
    values = [value for name, value in record.headers if name == "ce_id"]
    try:
        return UUID((values[0] or b"").decode()) if len(values) == 1 else None
    except ValueError:
        return None
