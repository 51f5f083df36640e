"""Every metric, each with one line of meaning. Labels come from closed lists only: no case,
person, counsellor or municipality ever becomes a label.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.outcomes import CaseRouted, Outcome

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_LATENESS = (0.5, 1, 2, 5, 10, 30, 60, 300, 3600, 86400)


class Metrics:
    """The metrics of one worker, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.records = Counter(
            "icam_records",
            "Records taken in, by topic and outcome (applied, duplicate, dead_lettered).",
            ["topic", "outcome"],
            registry=r,
        )
        self.dead_lettered = Counter(
            "icam_dead_lettered", "Records set aside as dead letters.", ["reason"], registry=r
        )
        self.batch_seconds = Histogram(
            "icam_batch_seconds",
            "Time from taking a batch to its database commit.",
            buckets=_SECONDS,
            registry=r,
        )
        self.batch_records = Histogram(
            "icam_batch_records",
            "Records in a batch.",
            buckets=(1, 2, 5, 10, 50, 100, 250, 500, 1000),
            registry=r,
        )
        self.intake_retrying = Gauge(
            "icam_intake_retrying",
            "1 while a batch waits for the database to come back.",
            registry=r,
        )
        self.database_away = Gauge(
            "icam_database_away", "1 while the database does not answer.", registry=r
        )
        self.routings = Counter(
            "icam_routings", "Cases routed or re-routed.", ["office", "track"], registry=r
        )
        self.escalations = Counter(
            "icam_escalations",
            "Escalations raised or withdrawn.",
            ["kind", "rule", "level"],
            registry=r,
        )
        self.published = Counter(
            "icam_published", "Outbox entries acknowledged by the broker.", ["topic"], registry=r
        )
        self.publish_seconds = Histogram(
            "icam_publish_seconds",
            "Time from handing an outbox entry to the broker to its acknowledgement.",
            buckets=_SECONDS,
            registry=r,
        )
        self.relay_failing = Gauge(
            "icam_relay_failing", "1 while outbox entries can't be published.", registry=r
        )
        self.deadline_lateness = Histogram(
            "icam_deadline_lateness_seconds",
            "How long after its instant a due case was looked at.",
            buckets=_LATENESS,
            registry=r,
        )
        self.deadlines_failed = Counter(
            "icam_deadlines_failed", "Due cases that raised an error when looked at.", registry=r
        )
        self.due_unfired = Gauge(
            "icam_deadlines_due_unfired",
            "Cases due and not looked at; proves nothing is missed.",
            registry=r,
        )
        self.due_unfired_oldest = Gauge(
            "icam_deadlines_due_unfired_oldest_seconds",
            "How long the oldest has been due.",
            registry=r,
        )
        self.outbox_pending = Gauge(
            "icam_outbox_pending", "Outbox entries not yet published.", registry=r
        )
        self.outbox_oldest = Gauge(
            "icam_outbox_oldest_seconds", "Age of the oldest unpublished outbox entry.", registry=r
        )
        self.dead_letters_open = Gauge(
            "icam_dead_letters_open", "Dead letters that nobody resolved yet.", registry=r
        )
        self.dead_letters_oldest = Gauge(
            "icam_dead_letters_oldest_seconds", "Age of the oldest open dead letter.", registry=r
        )
        self.partitions = Gauge(
            "icam_partitions_assigned", "Input partitions assigned to this worker.", registry=r
        )
        self.last_batch = Gauge(
            "icam_last_batch_timestamp_seconds",
            "Unix time of the last batch committed.",
            registry=r,
        )
        self.reference = Gauge(
            "icam_reference_info",
            "Policy and directory in use.",
            ["policy", "directory"],
            registry=r,
        )

    def announced(self, outcomes: Iterable[Outcome]) -> None:
        """Count what was announced; call it after the commit."""
        for outcome in outcomes:
            if type(outcome) is CaseRouted:
                self.routings.labels(outcome.office_id, outcome.track).inc()
            else:
                labels = (outcome.kind, outcome.rule_id, str(outcome.level))
                self.escalations.labels(*labels).inc()
