"""Continuous check of committed offsets against the database, while the pipeline runs.

An audit at the end sees only the final state. If an offset was ahead of the database for a moment,
records are lost when the worker dies in that moment, and there is no trace when it does not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from schemas.producers import Producers
from schemas.rejected import Rejected
from streams.audit.batches import record_batches
from streams.audit.database import Snapshot, snapshot
from streams.audit.decoding import Authority, authority
from streams.audit.errors import AuditError
from streams.audit.findings import Check
from streams.audit.kafka import KafkaLog
from streams.audit.log import Log, LogPosition, LogRecord, OffsetRange, Partition


class Watch:
    """Repeated check of one group's committed offsets against one database.

    Each record is checked once, at the first look that finds it below the committed offset.
    """

    def __init__(
        self, log: Log, database_url: Callable[[], str], group: str, producers: Producers
    ) -> None:
        """``database_url`` is called at each look: password or address may have changed."""
        self.check = Check("offsets watched", "records below committed offsets")
        self.looks = 0
        self._log = log
        self._url_of = database_url
        self._group = group
        self._producers = producers
        self._checked: dict[Partition, int] = {}

    def read_from(self, log: Log) -> None:
        """Read with another client from now on."""
        self._log = log

    def look(self) -> None:
        """Check the records committed since the last look. Blocks.

        Correct while the pipeline runs, as it reads the offsets before the database.

        Raises:
            AuditError: Kafka or the database can't be read; the next look checks the same records.
        """
        spans = self._log.spans(self._producers.topics)
        committed = self._log.committed(self._group, spans)
        compared, absent = 0, list[LogPosition]()
        with snapshot(self._url_of()) as snap:
            ranges = self._unchecked(spans, committed)
            allowed = authority(snap, self._producers)
            # In batches: the first look reads everything that Kafka retains.
            for batch in record_batches(self._log.records(ranges)):
                compared += len(batch)
                absent += missing(snap, batch, allowed)
        for place in absent:
            self.check.found(place, "committed, but neither in the log nor a dead letter")
        self.check.compared += compared
        self.looks += 1
        self._checked.update({partition: span.high for partition, span in ranges.items()})

    def _unchecked(
        self, spans: Mapping[Partition, OffsetRange], committed: Mapping[Partition, int]
    ) -> dict[Partition, OffsetRange]:
        """Return the committed offsets that were not checked yet, by partition."""
        found = {}
        for partition, offset in committed.items():
            low, high = spans[partition]
            begin, end = max(low, self._checked.get(partition, 0)), min(offset, high)
            if begin < end:
                found[partition] = OffsetRange(begin, end)
        return found


def missing(snap: Snapshot, records: Sequence[LogRecord], allowed: Authority) -> list[LogPosition]:
    """Return the positions of records that are neither in the log nor a dead letter."""
    expected: dict[LogPosition, tuple[UUID, str, bytes] | None] = {}
    for record in records:
        try:
            event = allowed.decode(record)
        except Rejected:
            expected[record.place] = None
        else:
            expected[record.place] = (event.event_id, event.source, event.digest)
    ids = [pair[0] for pair in expected.values() if pair is not None]
    in_log = set(
        snap.rows("SELECT event_id, source, digest FROM case_event WHERE event_id = any(%s)", ids)
        if ids
        else ()
    )
    absent = [place for place, pair in expected.items() if pair is None or pair not in in_log]
    if not absent:
        return []
    rows = snap.found(
        """
        SELECT at.topic, at.number, at."offset"
        FROM unnest(%s::text[], %s::integer[], %s::bigint[]) AS at (topic, number, "offset")
        CROSS JOIN LATERAL (
            SELECT FROM dead_letter AS letter
            WHERE letter.topic = at.topic AND letter."partition" = at.number
              AND letter."offset" = at."offset" LIMIT 1
        ) AS letter
        """,
        [place.topic for place in absent],
        [place.partition for place in absent],
        [place.offset for place in absent],
    )
    dead_letters = {LogPosition(*row) for row in rows}
    return [place for place in absent if place not in dead_letters]


@contextmanager
def watching(
    client: Mapping[str, Any],
    database_url: str,
    group: str,
    producers: Producers,
    every_seconds: float = 0.5,
) -> Iterator[Watch]:
    """Run a watch every ``every_seconds`` in its own thread, and once more at the end.

    ``client`` is how the Kafka client connects, by librdkafka's names. A look fails when a server
    can't be read, and the next look checks the same records. ``looks`` counts the successful ones.
    """
    with KafkaLog(client) as log:
        watch, stopping = Watch(log, lambda: database_url, group, producers), threading.Event()

        def keep_looking() -> None:
            while True:
                last = stopping.wait(every_seconds)
                try:
                    watch.look()
                except AuditError:
                    if last:
                        return
                if last:
                    return

        thread = threading.Thread(target=keep_looking, name="offset-watch", daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            stopping.set()
            thread.join()
