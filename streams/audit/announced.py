"""Check the outbox against the output topics, and the escalation ledger against the outbox.

Rows are looked up batch by batch or streamed. A mark of eight bytes is kept for each row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple
from uuid import UUID

from schemas.outcomes import CASE_STATE_TOPIC, ESCALATION_TOPIC
from streams.audit import identity
from streams.audit.batches import batches, record_batches
from streams.audit.database import Snapshot
from streams.audit.findings import Check
from streams.audit.log import Log, LogPosition, LogRecord, OffsetRange, Partition
from streams.audit.seen import Bits, Numbers

Spans = Mapping[Partition, OffsetRange]

_CLOCK_SKEW: Final = timedelta(hours=1)
"""Most time by which a record's timestamp may precede its outbox row, as clocks differ."""


class OutboxRow(NamedTuple):
    """One outbox row. ``content`` is the SHA-256 of its body's bytes."""

    position: int
    topic: str
    key: str
    content: bytes


class Published:
    """The records of the output topics that carry outbox rows, by the rows' positions."""

    def __init__(self, after: Spans) -> None:
        self.horizon = RetentionHorizon(after)
        self.counts: Counter[str] = Counter()
        """Records by topic."""
        self.repeated = 0
        """Records that carry a row which an earlier record carried."""
        self._first = Numbers()

    def add(self, row: OutboxRow, place: LogPosition) -> None:
        """Keep the position of the first record of a row; count the others."""
        if self._first[row.position]:
            self.repeated += 1
        else:
            # 16 bits of partition and 48 of offset, plus one: 0 is for no record.
            self._first[row.position] = (place.partition << 48 | place.offset) + 1

    def first(self, row: int) -> tuple[int, int] | None:
        """Return partition and offset of the first record of a row; None without one."""
        mark = self._first[row] - 1
        return None if mark < 0 else (mark >> 48, mark & (1 << 48) - 1)


def check_topics(
    check: Check, log: Log, snapshot: Snapshot, before: Spans, after: Spans
) -> Published:
    """Check that output topics hold outbox rows only, unchanged.

    ``before`` was read before the snapshot of the database and ``after`` after it: a record between
    the two may come from a row that is not in the snapshot. Repeated records are allowed.
    """
    published = Published(after)
    for record, row in _with_rows(log.records(after), snapshot):
        place = record.place
        check.compared += 1
        published.counts[place.topic] += 1
        published.horizon.add(record)
        if row is None:
            in_snapshot = place.offset < before[Partition(place.topic, place.partition)].high
            check.expect(not in_snapshot, place, "record without an outbox row")
            continue
        if row.topic != place.topic:
            check.found(place, f"record of outbox row {row.position}, which belongs on {row.topic}")
            continue
        if record.key != row.key.encode():
            check.found(place, f"key differs from outbox row {row.position}")
        if record.value is None or sha256(record.value).digest() != row.content:
            check.found(place, f"body differs from outbox row {row.position}")
        published.add(row, place)
    return published


def _with_rows(
    records: Iterable[LogRecord], snapshot: Snapshot
) -> Iterator[tuple[LogRecord, OutboxRow | None]]:
    """Yield each record with the outbox row that its message id names, if there is one."""
    for batch in record_batches(records):
        message_ids = [_message_id(record) for record in batch]
        rows = snapshot.found(
            """
            SELECT said.* FROM unnest(%s::uuid[]) AS wanted (id) CROSS JOIN LATERAL (
                SELECT message_id, position, topic, key, sha256(convert_to(body::text, 'UTF8'))
                FROM outbox WHERE message_id = wanted.id OFFSET 0) AS said
            """,
            [message_id for message_id in message_ids if message_id is not None],
        )
        found = {message_id: OutboxRow(*rest) for message_id, *rest in rows}
        for record, message_id in zip(batch, message_ids, strict=True):
            yield record, None if message_id is None else found.get(message_id)


def check_order(check: Check, snapshot: Snapshot, published: Published) -> None:
    """Check that the first records of each key's rows are in the order of the rows.

    Holds the rows of one key in memory.
    """
    rows = snapshot.rows(
        """
        SELECT topic, key, position FROM outbox ORDER BY topic COLLATE "C", key COLLATE "C"
        """
    )
    for (topic, _), of_key in groupby(rows, key=itemgetter(0, 1)):
        firsts = ((published.first(row), row) for *_, row in of_key)
        latest: dict[int, int] = {}
        for (partition, offset), row in sorted((at, row) for at, row in firsts if at is not None):
            last = latest.get(partition, 0)
            place = LogPosition(topic, partition, offset)
            check.expect(last < row, place, f"row {row} is after row {last}")
            latest[partition] = max(last, row)


def check_published(
    check: Check, snapshot: Snapshot, published: Published, *, drained: bool
) -> None:
    """Check that every row marked published is on its topic; if drained, that none is pending."""
    for (position,) in snapshot.rows(
        "SELECT position FROM outbox_pending AS waiting WHERE NOT EXISTS"
        " (SELECT FROM outbox WHERE outbox.position = waiting.position)"
    ):
        check.found(f"outbox {position}", "pending, but the row does not exist")
    rows = snapshot.rows(
        """
        SELECT position, topic, created_at, waiting.position IS NOT NULL
        FROM outbox LEFT JOIN outbox_pending AS waiting USING (position) ORDER BY position
        """
    )
    for position, topic, created_at, pending in rows:
        check.compared += 1
        if pending:
            check.expect(not drained, f"outbox {position}", "not published")
        elif published.first(position) is None and published.horizon.covers(topic, created_at):
            check.found(f"outbox {position}", f"marked published, not on {topic}")


def check_rounds(check: Check, snapshot: Snapshot) -> None:
    """Check that the outbox announces each round as the ledger has it, and nothing else."""
    expected = Bits()
    for batch in batches(_announcements(snapshot)):
        rows = snapshot.found(
            """
            SELECT said.* FROM unnest(%s::uuid[]) AS wanted (id) CROSS JOIN LATERAL (
                SELECT message_id, position, topic, body->>'kind' FROM outbox
                WHERE message_id = wanted.id OFFSET 0) AS said
            """,
            [message_id for message_id, *_ in batch],
        )
        found = {message_id: rest for message_id, *rest in rows}
        for message_id, kind, reference in batch:
            check.compared += 1
            position, *said = found.get(message_id, (None,))
            if position is not None:
                expected.add(position)
            announced = said == [ESCALATION_TOPIC, kind]
            check.expect(announced, reference, f"{kind} in the ledger, but not in the outbox")
    for (position,) in snapshot.rows(
        "SELECT position FROM outbox WHERE topic = %s ORDER BY position", ESCALATION_TOPIC
    ):
        if position not in expected:
            check.found(f"outbox {position}", "announces a round that is not in the ledger")


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
        self._first: dict[Partition, datetime | None] = {
            partition: None for partition, span in spans.items() if span.low > 0
        }

    def add(self, record: LogRecord) -> None:
        """Keep the first timestamp of each truncated partition."""
        partition = Partition(record.place.topic, record.place.partition)
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
