"""Every metric, each with one line of meaning: of the worker and the roles beside it.

Labels come from closed or capped lists only: no case, person, counsellor or municipality ever
becomes a label. What only the database or the brokers know is told by the exporter alone, so that
it is told once; a worker tells what it did itself. ``docs/metrics.md`` is made from this file.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

from schemas.canary import is_canary
from schemas.outcomes import CaseRouted, EscalationRaised, Outcome

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_LATENESS: Final = (0.5, 1, 2, 5, 10, 30, 60, 300, 3600, 86400)
_AGE: Final = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 3600, 86400, 7 * 86400, 30 * 86400)

MOST_PRODUCERS: Final = 20
"""Producers that are told by name; a producer's name is its own choice, so there is a cap."""
OTHER_PRODUCER: Final = "other"
UNKNOWN_PRODUCER: Final = "unknown"
"""Of records that could not be read: what they say of themselves may be anything."""

# A second series for every counter, which says when it was made: nobody asks.
disable_created_metrics()  # type: ignore[no-untyped-call]


class _Build:
    """What every role tells of itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.build = Gauge(
            "icam_build_info",
            "Version of the code and of Python.",
            ["version", "python"],
            registry=self.registry,
        )
        self.build.labels(version("icam-streams"), platform.python_version()).set(1)


class Metrics(_Build):
    """The metrics of one worker, in a registry of its own."""

    def __init__(self) -> None:
        super().__init__()
        r = self.registry
        self.records = Counter(
            "icam_records",
            "Records taken in, by topic and outcome (applied, late, duplicate, dead_lettered); "
            "late: applied, a day or more after its own time.",
            ["topic", "outcome"],
            registry=r,
        )
        self.producer_records = Counter(
            "icam_producer_records",
            "The same by producer, as named in the event; capped, the rest is 'other'.",
            ["producer", "outcome"],
            registry=r,
        )
        self.dead_lettered = Counter(
            "icam_dead_lettered",
            "Records set aside as dead letters, by topic and reason.",
            ["topic", "reason"],
            registry=r,
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
        self.event_age = Histogram(
            "icam_event_age_seconds",
            "Age of an event, from its CloudEvents time, when it was committed.",
            ["topic"],
            buckets=_AGE,
            registry=r,
        )
        self.record_seconds = Histogram(
            "icam_record_seconds",
            "Time from a record's arrival on Kafka to its commit in the database.",
            ["topic"],
            buckets=_SECONDS,
            registry=r,
        )
        self.announced_seconds = Histogram(
            "icam_announced_seconds",
            "Time from the cause of an announcement, a record's arrival or a deadline, "
            "to its acknowledgement by the brokers.",
            ["topic"],
            buckets=_SECONDS,
            registry=r,
        )
        self.intake_retrying = Gauge(
            "icam_intake_retrying",
            "Batches that wait for the database to come back.",
            registry=r,
        )
        self.database_away = Gauge(
            "icam_database_away", "1 while the database does not answer.", registry=r
        )
        self.routings = Counter(
            "icam_routings", "Cases routed or re-routed.", ["office", "track"], registry=r
        )
        self.raised = Counter(
            "icam_escalations_raised",
            "Escalations raised.",
            ["office", "track", "level", "rule"],
            registry=r,
        )
        self.withdrawn = Counter(
            "icam_escalations_withdrawn",
            "Escalations withdrawn.",
            ["office", "level", "rule", "reason"],
            registry=r,
        )
        self.published = Counter(
            "icam_published", "Outbox entries acknowledged by the brokers.", ["topic"], registry=r
        )
        self.publish_seconds = Histogram(
            "icam_publish_seconds",
            "Time from handing an outbox entry to the brokers to their acknowledgement.",
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
        self.partitions = Gauge(
            "icam_partitions_assigned", "Input partitions assigned to this worker.", registry=r
        )
        self.last_batch = Gauge(
            "icam_last_batch_timestamp_seconds",
            "Unix time of the last batch committed.",
            registry=r,
        )
        self.last_event = Gauge(
            "icam_last_event_timestamp_seconds",
            "Greatest CloudEvents time committed, as Unix time.",
            registry=r,
        )
        self.reference = Gauge(
            "icam_reference_info",
            "Policy and directory in use.",
            ["policy", "directory"],
            registry=r,
        )
        self._producers: set[str] = set()
        self._latest = 0.0

    def producer(self, name: str | None) -> str:
        """Return the label of a producer: its name while there are few, else ``other``."""
        if name is None:
            return UNKNOWN_PRODUCER
        if name not in self._producers:
            if len(self._producers) >= MOST_PRODUCERS:
                return OTHER_PRODUCER
            self._producers.add(name)
        return name

    def observe_applied(self, taken: Sequence[tuple[str, float, float | None]], now: float) -> None:
        """Observe events committed at ``now``: topic, time and arrival, all as Unix time."""
        topics = {topic for topic, *_ in taken}
        ages = {topic: self.event_age.labels(topic) for topic in topics}
        waits = {topic: self.record_seconds.labels(topic) for topic in topics}
        for topic, at, arrived in taken:
            ages[topic].observe(now - at)
            if arrived is not None:
                waits[topic].observe(max(0.0, now - arrived))
        self._latest = max(self._latest, max((at for _, at, _ in taken), default=0.0))
        self.last_event.set(self._latest)

    def count_announced(self, outcomes: Iterable[Outcome]) -> None:
        """Count what was announced, the canary's left out; call it after the commit."""
        for outcome in outcomes:
            if is_canary(outcome.case_id):
                continue
            if type(outcome) is CaseRouted:
                self.routings.labels(outcome.office_id, outcome.track).inc()
            elif type(outcome) is EscalationRaised:
                self.raised.labels(
                    outcome.office_id, outcome.track, str(outcome.level), outcome.rule_id
                ).inc()
            else:
                self.withdrawn.labels(
                    outcome.office_id, str(outcome.level), outcome.rule_id, outcome.reason
                ).inc()


class ExporterMetrics(_Build):
    """What the database and the brokers know, told by one process for all."""

    def __init__(self) -> None:
        super().__init__()
        r = self.registry
        self.reading_age = Gauge(
            "icam_reading_age_seconds",
            "Age of the gauges below, by the reading that they come from "
            "(backlog, cases, producers, group, offsets, audit).",
            ["reading"],
            registry=r,
        )
        self.reading_seconds = Gauge(
            "icam_reading_seconds", "Time that the last reading took.", ["reading"], registry=r
        )
        self.due_unfired = Gauge(
            "icam_deadlines_due_unfired",
            "Cases due and not looked at; proves that nothing is missed (backlog).",
            registry=r,
        )
        self.due_unfired_oldest = Gauge(
            "icam_deadlines_due_unfired_oldest_seconds",
            "How long the oldest has been due (backlog).",
            registry=r,
        )
        self.due_soon = Gauge(
            "icam_deadlines_due_next_day",
            "Cases that fall due within 24 hours (backlog).",
            registry=r,
        )
        self.outbox_pending = Gauge(
            "icam_outbox_pending", "Outbox entries not yet published (backlog).", registry=r
        )
        self.outbox_oldest = Gauge(
            "icam_outbox_oldest_seconds",
            "Age of the oldest unpublished outbox entry (backlog).",
            registry=r,
        )
        self.dead_letters_open = Gauge(
            "icam_dead_letters_open",
            "Dead letters that nobody resolved yet (backlog).",
            ["topic", "reason"],
            registry=r,
        )
        self.dead_letters_oldest = Gauge(
            "icam_dead_letters_oldest_seconds",
            "Age of the oldest open dead letter (backlog).",
            registry=r,
        )
        self.dead_letters_overdue = Gauge(
            "icam_dead_letters_overdue",
            "Open dead letters older than one working day (backlog).",
            registry=r,
        )
        self.cases = Gauge(
            "icam_cases",
            "Cases with an order, by office, track and age of the order in days (cases).",
            ["office", "track", "age"],
            registry=r,
        )
        self.cases_by_status = Gauge(
            "icam_cases_by_status", "Cases by status (cases).", ["status"], registry=r
        )
        self.unrouted = Gauge(
            "icam_cases_unrouted",
            "Cases that no office follows, by reason: awaiting_order, or the routing rule of "
            "triage (cases).",
            ["reason"],
            registry=r,
        )
        self.capacity = Gauge(
            "icam_office_capacity",
            "Cases that an office's team can follow, from the staffing table.",
            ["office", "track"],
            registry=r,
        )
        self.guards = Gauge(
            "icam_guards_blocking",
            "Cases in which a guard holds a rule back (cases).",
            ["guard"],
            registry=r,
        )
        self.escalations = Gauge(
            "icam_escalations",
            "Escalations in the ledger, open or withdrawn (cases).",
            ["office", "track", "level", "rule", "state"],
            registry=r,
        )
        self.producer_last = Gauge(
            "icam_producer_last_event_timestamp_seconds",
            "When an event of this producer was last committed, as Unix time (producers).",
            ["producer"],
            registry=r,
        )
        self.producer_events = Gauge(
            "icam_producer_events_last_day",
            "Events of this producer committed within 24 hours (producers).",
            ["producer"],
            registry=r,
        )
        self.producer_silent = Gauge(
            "icam_producer_silent_seconds",
            "How long this producer has been silent within today's office hours (producers).",
            ["producer"],
            registry=r,
        )
        self.producer_usual_gap = Gauge(
            "icam_producer_usual_gap_seconds",
            "Its 99th percentile gap between events within office hours of the last 14 days "
            "(producers).",
            ["producer"],
            registry=r,
        )
        self.behind_records = Gauge(
            "icam_records_behind",
            "Records that the group has not committed (group).",
            ["topic"],
            registry=r,
        )
        self.behind_seconds = Gauge(
            "icam_seconds_behind",
            "Age of the oldest record that the group has not committed (group).",
            ["topic"],
            registry=r,
        )
        self.brokers_away = Gauge(
            "icam_brokers_away", "1 while the brokers do not answer the exporter.", registry=r
        )
        self.database_away = Gauge(
            "icam_exporter_database_away",
            "1 while the database does not answer the exporter.",
            registry=r,
        )
        self.offsets_ahead = Gauge(
            "icam_offsets_ahead",
            "Records ever found below a committed offset and in neither log nor dead letters "
            "(offsets).",
            registry=r,
        )
        self.audit_findings = Gauge(
            "icam_audit_findings",
            "Findings of the last audit, by check (audit).",
            ["check"],
            registry=r,
        )
        for unread in (
            self.due_unfired,
            self.due_unfired_oldest,
            self.due_soon,
            self.outbox_pending,
            self.outbox_oldest,
            self.dead_letters_oldest,
            self.dead_letters_overdue,
            self.offsets_ahead,
        ):
            unread.set(math.nan)  # a zero would look well before anything was read


class CanaryMetrics(_Build):
    """One event end to end, again and again."""

    def __init__(self) -> None:
        super().__init__()
        r = self.registry
        self.sent = Counter("icam_canary_sent", "Canary events published.", registry=r)
        self.missed = Counter(
            "icam_canary_missed",
            "Canary events whose announcement did not come in time.",
            registry=r,
        )
        self.seconds = Histogram(
            "icam_canary_seconds",
            "Time from publishing a canary event to reading its announcement.",
            buckets=_SECONDS,
            registry=r,
        )
        self.last_success = Gauge(
            "icam_canary_last_success_timestamp_seconds",
            "When an announcement of the canary last came in time, as Unix time; 0 before.",
            registry=r,
        )


class BoardMetrics(_Build):
    """The live page."""

    def __init__(self) -> None:
        super().__init__()
        r = self.registry
        self.clients = Gauge(
            "icam_board_clients", "Pages open that get every new state.", registry=r
        )
        self.reading_age = Gauge(
            "icam_board_reading_age_seconds",
            "Age of the last reading that the page shows; -1 before the first.",
            registry=r,
        )
