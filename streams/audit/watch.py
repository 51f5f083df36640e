"""Committed offsets held against the database while a run goes on, again and again.

An audit at the end sees only what stands then. An offset that was ahead of the database for a
moment loses records when the worker dies in that moment, and leaves no trace when it doesn't.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final
from uuid import UUID

from schemas.codec import decode
from schemas.envelope import Rejected
from schemas.events import INPUT_TOPICS
from streams.audit.database import Snapshot, snapshot
from streams.audit.errors import AuditError
from streams.audit.findings import Check
from streams.audit.kafka import KafkaLog
from streams.audit.log import Log, LogPosition, LogRecord, OffsetRange, Partition

_PORTION: Final = 2_000


class Watch:
    """Looks at one group and one database. Each record is judged once, at the first look that
    finds it below the committed offset.
    """

    def __init__(self, log: Log, database_url: str, group: str) -> None:
        self.check = Check("offsets watched", "records below committed offsets")
        self.looks = 0
        self._log = log
        self._url = database_url
        self._group = group
        self._judged: dict[Partition, int] = {}

    def look(self) -> None:
        """Judge what was committed since the last look. Blocks.

        Sound beside a running pipeline: offsets are read first, the database after them.

        Raises:
            AuditError: Kafka or the database can't be read; the next look judges the same again.
        """
        spans = self._log.spans(INPUT_TOPICS)
        committed = self._log.committed(self._group, spans)
        compared, missing = 0, list[LogPosition]()
        with snapshot(self._url) as snap:
            fresh = self._fresh(spans, committed)
            records = self._log.records(fresh)
            # In portions: the first look is at all that Kafka keeps.
            while portion := list(islice(records, _PORTION)):
                compared += len(portion)
                missing += _missing(snap, portion)
        for place in missing:
            self.check.found(place, "committed, but neither in the log nor a dead letter")
        self.check.compared += compared
        self.looks += 1
        self._judged.update({partition: span.high for partition, span in fresh.items()})

    def _fresh(
        self, spans: Mapping[Partition, OffsetRange], committed: Mapping[Partition, int]
    ) -> dict[Partition, OffsetRange]:
        found = {}
        for partition, offset in committed.items():
            low, high = spans[partition]
            begin, end = max(low, self._judged.get(partition, 0)), min(offset, high)
            if begin < end:
                found[partition] = OffsetRange(begin, end)
        return found


def _missing(snap: Snapshot, records: Sequence[LogRecord]) -> list[LogPosition]:
    claimed: dict[LogPosition, tuple[UUID, bytes] | None] = {}
    for record in records:
        try:
            event = decode(record.place.topic, record.key, record.value, record.headers)
        except Rejected:
            claimed[record.place] = None
        else:
            claimed[record.place] = (event.event_id, event.digest)
    ids = [claim[0] for claim in claimed.values() if claim is not None]
    held = set(
        snap.rows("SELECT event_id, digest FROM case_event WHERE event_id = any(%s)", ids)
        if ids
        else ()
    )
    left = [place for place, claim in claimed.items() if claim is None or claim not in held]
    if not left:
        return []
    letters = {
        LogPosition(*row)
        for row in snap.rows('SELECT topic, "partition", "offset" FROM dead_letter')
    }
    return [place for place in left if place not in letters]


@contextmanager
def watching(
    bootstrap: str, database_url: str, group: str, every_seconds: float = 0.5
) -> Iterator[Watch]:
    """Look every so often in a thread of its own, and once more at the end.

    Servers that can't be read are looked at again later; ``looks`` counts those that came about.
    """
    with KafkaLog(bootstrap) as log:
        watch, over = Watch(log, database_url, group), threading.Event()

        def keep_looking() -> None:
            while True:
                last = over.wait(every_seconds)
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
            over.set()
            thread.join()
