"""Read the brokers and the auditor into gauges. Every function blocks: run it in a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from schemas.checkpoints import PublicKey
from schemas.producers import Producers
from streams.audit import Watch, audit
from streams.audit.chain import check_chain
from streams.audit.checkpoints import published
from streams.audit.errors import AuditError
from streams.audit.kafka import KafkaLog
from streams.audit.log import OffsetRange, Partition
from streams.kafka.connection import client
from streams.runtime.metrics import ExporterMetrics
from streams.runtime.settings import Settings
from streams.store import address


class AuditReadings:
    """The readings that need the brokers: the group's lag, its committed offsets, the audit."""

    def __init__(
        self,
        settings: Settings,
        producers: Producers,
        metrics: ExporterMetrics,
        now: Callable[[], datetime],
    ) -> None:
        """``now`` is compared with the arrival of records on Kafka."""
        self._now = now
        self._kafka = settings.kafka
        self._group = settings.kafka.group
        self._settings = settings
        self._producers = producers
        self._metrics = metrics
        self._offsets: Watch | None = None

    def behind(self) -> None:
        """Read how many records of each topic are not committed, and how old the oldest is.

        Raises:
            AuditError: the brokers or topics can't be read.
        """
        with KafkaLog(client(self._kafka)) as log:
            spans = log.spans(self._producers.topics)
            committed = log.committed(self._group, spans)
            waiting = _waiting(spans, committed)
            firsts = {part: OffsetRange(span.low, span.low + 1) for part, span in waiting.items()}
            arrived = [
                (record.place.topic, record.timestamp)
                for record in log.records(firsts)
                if record.timestamp is not None
            ]
        now = self._now()
        for topic in self._producers.topics:
            count = sum(s.high - s.low for part, s in waiting.items() if part.topic == topic)
            oldest = min((at for name, at in arrived if name == topic), default=now)
            self._metrics.topic_partitions.labels(topic).set(
                sum(part.topic == topic for part in spans)
            )
            self._metrics.behind_records.labels(topic).set(count)
            self._metrics.behind_seconds.labels(topic).set(max(0.0, (now - oldest).total_seconds()))

    def offsets(self) -> None:
        """Check the offsets committed since the last call.

        Raises:
            AuditError: Kafka or the database can't be read; the next call checks the same offsets.
        """
        if self._offsets is None:
            self._log = KafkaLog(client(self._kafka))
            self._offsets = Watch(
                self._log,
                lambda: address.read(self._settings.database).for_psycopg(),
                self._group,
                self._producers,
            )
        try:
            self._offsets.look()
        except AuditError:
            # The password may have been replaced: connect with the current one next time.
            self._log.close()
            self._log = KafkaLog(client(self._kafka))
            self._offsets.read_from(self._log)
            raise
        self._metrics.offsets_ahead.set(self._offsets.check.checked.found)

    def audit(self) -> None:
        """Run the whole audit.

        Raises:
            AuditError: Kafka or the database can't be read.
        """
        url = address.read(self._settings.database_of_audit).for_psycopg()
        report = audit(client(self._kafka), url, group=self._group, producers=self._producers)
        for check in report.checks:
            self._metrics.audit_findings.labels(check.name).set(check.found)

    def checkpoints(self, keys: Sequence[PublicKey]) -> None:
        """Verify the database against the signed checkpoints.

        Raises:
            AuditError: Kafka or the database can't be read.
        """
        values = published(client(self._kafka))
        url = address.read(self._settings.database_of_audit).for_psycopg()
        verified = check_chain(url, values, keys)
        for check in verified.report.checks:
            self._metrics.audit_findings.labels(check.name).set(check.found)
        last = verified.last
        self._metrics.checkpoint_last.set(last.timestamp() if last else 0)


def _waiting(
    spans: Mapping[Partition, OffsetRange], committed: Mapping[Partition, int]
) -> dict[Partition, OffsetRange]:
    """Return the offsets that are not committed, by partition; without empty ranges."""
    left = {
        part: OffsetRange(max(span.low, committed.get(part, span.low)), span.high)
        for part, span in spans.items()
    }
    return {part: span for part, span in left.items() if span.low < span.high}
