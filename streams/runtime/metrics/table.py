"""The table of all metrics, one entry per metric, by the role that exports it.

Everything else follows from it: the registries, the typed attributes, the tables of
``docs/metrics.md`` and the count of series there (``make metrics``). A new metric is an entry here
and a line of code that sets it.

Label values come from closed or capped lists only: no case, person, counsellor or municipality
ever becomes a label. A worker exports what it did itself. The exporter alone exports what only the
database or the brokers know, so that such a value exists once.
"""

from __future__ import annotations

import math
import platform
from importlib.metadata import version
from typing import Final

from prometheus_client import disable_created_metrics

from schemas.codes import Guard
from schemas.events import EndReason
from schemas.outcomes import OUTPUT_TOPICS, WithdrawalReason
from schemas.rejected import Reason
from streams.runtime.metrics.spec import Capped, RoleMetrics, Source, counter, gauge, histogram

MOST_PRODUCERS: Final = 20
"""Producers with a label value of their own; a producer chooses its name, so there is a cap."""
OTHER_PRODUCER: Final = "other"
UNKNOWN_PRODUCER: Final = "unknown"
"""The producer of a record that can't be read: what the record says about it may be anything."""
MOST_PARTITIONS: Final = 20
"""Partitions with a label value of their own at a time."""
OTHER_PARTITION: Final = "other"

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_LATENESS: Final = (0.5, 1, 2, 5, 10, 30, 60, 300, 3600, 86400)
_AGE: Final = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 3600, 86400, 7 * 86400, 30 * 86400)
_RECORDS: Final = (1, 2, 5, 10, 50, 100, 250, 500, 1000)

_VERDICTS: Final = ("applied", "late", "duplicate", "dead_lettered")
_PRODUCERS: Final = Capped(MOST_PRODUCERS, (OTHER_PRODUCER, UNKNOWN_PRODUCER))
_READINGS: Final = ("backlog", "group", "cases", "producers", "offsets", "audit", "checkpoints")
_AGES: Final = ("0-7", "8-30", "31-90", "91-365", "366+")
_STATUSES: Final = (
    *("awaiting_order", "needs_repair", "escalated", "on_hold", "followed", "handed_over"),
    "ended",
)
_UNROUTED: Final = ("awaiting_order", "triage")
_STATES: Final = ("open", "withdrawn")
_CASE_STATES: Final = ("ended", "reopened")
_BREACHES: Final = (
    *("no_next_date", "no_reason", "no_owner", "no_office", "too_late", "silent"),
    *("ended_with_date", "ended_with_proposal"),
)
_FLAGS: Final = ("office_full", "skills_missing")
_DUE: Final = ("late", "today", "week", "later")
_CHECKS: Final = (
    *("log", "offsets", "fold", "escalations", "guards", "outbox", "deadlines"),
    *("attention", "personal data", "checkpoints", "chain", "heads"),
)
_NOT_VERIFIED: Final = -1
_UNREAD: Final = math.nan
"""The value of a gauge before its first reading; 0 would look like good news."""

# A second series for every counter, its time of creation. Nothing uses it.
disable_created_metrics()  # type: ignore[no-untyped-call]


class BuildMetrics(RoleMetrics):
    """What every role exports."""

    build = gauge(
        "icam_build_info",
        "Version of the code and of Python.",
        version=Source.DEPLOYMENT,
        python=Source.DEPLOYMENT,
    )

    def __init__(self) -> None:
        super().__init__()
        self.build.labels(version("icam-streams"), platform.python_version()).set(1)


class WorkerTable(BuildMetrics):
    """The worker."""

    records = counter(
        "icam_records",
        "Records handled, by topic and outcome (applied, late, duplicate, dead_lettered); "
        "late: applied, a day or more after its own time.",
        topic=Source.PRODUCERS,
        outcome=_VERDICTS,
    )
    producer_records = counter(
        "icam_producer_records",
        "The same by producer, as named in the event; capped, the rest is 'other'.",
        producer=_PRODUCERS,
        outcome=_VERDICTS,
    )
    unknown_fields = counter(
        "icam_unknown_fields",
        "Fields that no schema knows, dropped from events that were applied, by producer.",
        producer=_PRODUCERS,
    )
    corrections_beyond_rank = counter(
        "icam_corrections_beyond_rank",
        "Events without effect, because they would correct a fact of a source that ranks above "
        "theirs, by producer.",
        producer=_PRODUCERS,
    )
    dead_lettered = counter(
        "icam_dead_lettered",
        "Records stored as dead letters, by topic and reason.",
        topic=Source.PRODUCERS,
        reason=Reason,
    )
    records_lost = counter(
        "icam_records_lost",
        "Offsets that were gone before they were read, by topic.",
        topic=Source.PRODUCERS,
    )
    batch_seconds = histogram(
        "icam_batch_seconds", "Time from the start of a batch to its database commit.", _SECONDS
    )
    batch_records = histogram("icam_batch_records", "Records in a batch.", _RECORDS)
    event_age = histogram(
        "icam_event_age_seconds",
        "Age of an event, from its CloudEvents time, when it was committed.",
        _AGE,
        topic=Source.PRODUCERS,
    )
    record_seconds = histogram(
        "icam_record_seconds",
        "Time from a record's arrival on Kafka to its commit in the database.",
        _SECONDS,
        topic=Source.PRODUCERS,
    )
    announced_seconds = histogram(
        "icam_announced_seconds",
        "Time from the cause of an announcement, a record's arrival or a deadline, "
        "to its acknowledgement by the brokers.",
        _SECONDS,
        topic=OUTPUT_TOPICS,
    )
    intake_retrying = gauge(
        "icam_intake_retrying", "Batches that wait for the database to come back."
    )
    database_away = gauge("icam_database_away", "1 while the database does not answer.")
    relay_held_since = gauge(
        "icam_relay_held_since_seconds",
        "Unix time since which this worker publishes the outbox; 0 while another one does.",
    )
    routings = counter(
        "icam_routings",
        "Cases routed or re-routed.",
        office=Source.DIRECTORY,
        track=Source.DIRECTORY,
    )
    routings_flagged = counter(
        "icam_routings_flagged",
        "Cases routed to a team that was full or lacked a skill that the case needs.",
        office=Source.DIRECTORY,
        track=Source.DIRECTORY,
        flag=_FLAGS,
    )
    raised = counter(
        "icam_escalations_raised",
        "Escalations raised.",
        office=Source.DIRECTORY,
        track=Source.DIRECTORY,
        level=Source.POLICY,
        rule=Source.POLICY,
    )
    withdrawn = counter(
        "icam_escalations_withdrawn",
        "Escalations withdrawn; reminded: unanswered, and raised again at once.",
        level=Source.POLICY,
        rule=Source.POLICY,
        reason=WithdrawalReason,
    )
    state_changes = counter(
        "icam_case_state_changes", "Follow-ups that ended or were reopened.", state=_CASE_STATES
    )
    published = counter(
        "icam_published", "Outbox entries acknowledged by the brokers.", topic=OUTPUT_TOPICS
    )
    publish_seconds = histogram(
        "icam_publish_seconds",
        "Time from handing an outbox entry to the brokers to their acknowledgement.",
        _SECONDS,
    )
    refused = gauge(
        "icam_announcements_refused",
        "Cases whose next announcement the brokers refuse for itself, as too large.",
        topic=OUTPUT_TOPICS,
    )
    relay_failing = gauge("icam_relay_failing", "1 while outbox entries can't be published.")
    deadline_lateness = histogram(
        "icam_deadline_lateness_seconds",
        "Time from the instant at which a case fell due to its reconsideration.",
        _LATENESS,
    )
    deadlines_failed = counter(
        "icam_deadlines_failed", "Due cases that raised an error when reconsidered."
    )
    partitions = gauge("icam_partitions_assigned", "Input partitions assigned to this worker.")
    partitions_expected = gauge(
        "icam_partitions_expected", "Partitions of the input topics, for all workers together."
    )
    partitions_fetched = gauge(
        "icam_partitions_fetched", "Partitions assigned to this worker whose broker delivers."
    )
    records_behind = gauge(
        "icam_assigned_records_behind",
        "Records of the partitions assigned to this worker that it has not done.",
    )
    partition_held = gauge(
        "icam_partition_held",
        "1 while this worker can't read a partition, named as topic[number]; capped, the rest is "
        "'other'.",
        partition=Capped(MOST_PARTITIONS, (OTHER_PARTITION,)),
    )
    last_batch = gauge(
        "icam_last_batch_timestamp_seconds", "Unix time of the last batch committed."
    )
    last_event = gauge(
        "icam_last_event_timestamp_seconds", "Greatest CloudEvents time committed, as Unix time."
    )
    reference = gauge(
        "icam_reference_info",
        "Policy and directory in use.",
        policy=Source.DEPLOYMENT,
        directory=Source.DEPLOYMENT,
    )


class ExporterMetrics(BuildMetrics):
    """The exporter. The word in brackets names the reading that a gauge comes from."""

    reading_age = gauge(
        "icam_reading_age_seconds",
        "Age of the gauges below, by the reading that they come from "
        "(backlog, cases, producers, group, offsets, audit, checkpoints).",
        reading=_READINGS,
    )
    reading_seconds = gauge(
        "icam_reading_seconds", "Duration of the last reading.", reading=_READINGS
    )
    due_unfired = gauge(
        "icam_deadlines_due_unfired",
        "Cases that are due and not yet reconsidered; 0 proves that none is missed (backlog).",
        initially=_UNREAD,
    )
    due_unfired_oldest = gauge(
        "icam_deadlines_due_unfired_oldest_seconds",
        "How long the oldest has been due (backlog).",
        initially=_UNREAD,
    )
    due_soon = gauge(
        "icam_deadlines_due_next_day",
        "Cases that fall due within 24 hours (backlog).",
        initially=_UNREAD,
    )
    outbox_pending = gauge(
        "icam_outbox_pending", "Outbox entries not yet published (backlog).", initially=_UNREAD
    )
    outbox_oldest = gauge(
        "icam_outbox_oldest_seconds",
        "Age of the oldest unpublished outbox entry (backlog).",
        initially=_UNREAD,
    )
    dead_letters_open = gauge(
        "icam_dead_letters_open",
        "Dead letters that are not resolved (backlog).",
        topic=Source.PRODUCERS,
        reason=Reason,
    )
    dead_letters_oldest = gauge(
        "icam_dead_letters_oldest_seconds",
        "Age of the oldest open dead letter (backlog).",
        initially=_UNREAD,
    )
    dead_letters_overdue = gauge(
        "icam_dead_letters_overdue",
        "Open dead letters older than one working day (backlog).",
        initially=_UNREAD,
    )
    cases = gauge(
        "icam_cases",
        "Open cases with an order, by office, track and age of the order in days (cases).",
        office=Source.DIRECTORY,
        track=Source.DIRECTORY,
        age=_AGES,
    )
    cases_by_status = gauge(
        "icam_cases_by_status", "Cases by status, ended ones too (cases).", status=_STATUSES
    )
    cases_ended = gauge(
        "icam_cases_ended", "Cases whose follow-up ended, by reason (cases).", reason=EndReason
    )
    forgotten = gauge(
        "icam_cases_without_attention",
        "Open cases without a next date, a reason for it, an owner or an office, or silent for "
        "longer than the longest pause; ended cases that still have a next date or a proposal. "
        "0 proves that no case is forgotten (cases).",
        breach=_BREACHES,
    )
    unrouted = gauge(
        "icam_cases_unrouted",
        "Open cases that no office follows, by reason: awaiting_order, or the routing rule of "
        "triage (cases).",
        reason=_UNROUTED,
    )
    capacity = gauge(
        "icam_office_capacity",
        "Cases that an office's team can follow today, from the staffing table.",
        office=Source.STAFFING,
        track=Source.STAFFING,
    )
    load = gauge(
        "icam_office_load",
        "Open cases of an office's team divided by the cases that it can follow today (cases).",
        office=Source.STAFFING,
        track=Source.STAFFING,
    )
    guards = gauge(
        "icam_guards_blocking", "Open cases in which a guard blocks a rule (cases).", guard=Guard
    )
    escalations = gauge(
        "icam_escalations",
        "Escalations in the ledger, open or withdrawn (cases).",
        office=Source.DIRECTORY,
        track=Source.DIRECTORY,
        level=Source.POLICY,
        rule=Source.POLICY,
        state=_STATES,
    )
    proposals_due = gauge(
        "icam_proposals_due",
        "Standing proposals by office and by when an answer is expected: late, today, later this "
        "week, or later (cases).",
        office=Source.DIRECTORY,
        due=_DUE,
    )
    producer_last = gauge(
        "icam_producer_last_event_timestamp_seconds",
        "When an event of this producer was last committed, as Unix time (producers).",
        producer=Capped(MOST_PRODUCERS),
    )
    producer_events = gauge(
        "icam_producer_events_last_day",
        "Events of this producer committed within 24 hours (producers).",
        producer=Capped(MOST_PRODUCERS),
    )
    producer_silent = gauge(
        "icam_producer_silent_seconds",
        "How long this producer has been silent within today's office hours (producers).",
        producer=Capped(MOST_PRODUCERS),
    )
    producer_usual_gap = gauge(
        "icam_producer_usual_gap_seconds",
        "Its 99th percentile gap between events within office hours of the last 14 days "
        "(producers).",
        producer=Capped(MOST_PRODUCERS),
    )
    behind_records = gauge(
        "icam_records_behind",
        "Records that the group has not committed (group).",
        topic=Source.PRODUCERS,
    )
    behind_seconds = gauge(
        "icam_seconds_behind",
        "Age of the oldest record that the group has not committed (group).",
        topic=Source.PRODUCERS,
    )
    topic_partitions = gauge(
        "icam_topic_partitions",
        "Partitions of an input topic; all of them need as many (group).",
        topic=Source.PRODUCERS,
    )
    never_seen = gauge(
        "icam_records_never_seen",
        "Offsets in gaps that are not resolved: gone before they were read (backlog).",
        topic=Source.PRODUCERS,
    )
    brokers_away = gauge("icam_brokers_away", "1 while the brokers do not answer the exporter.")
    database_away = gauge(
        "icam_exporter_database_away", "1 while the database does not answer the exporter."
    )
    offsets_ahead = gauge(
        "icam_offsets_ahead",
        "Records ever found below a committed offset and in neither log nor dead letters "
        "(offsets).",
        initially=_UNREAD,
    )
    audit_findings = gauge(
        "icam_audit_findings",
        "Findings of the last audit, by check (audit; the last three checkpoints).",
        check=_CHECKS,
    )
    checkpoint_last = gauge(
        "icam_checkpoint_last_timestamp_seconds",
        "When the heads of all cases were last signed, as Unix time; 0 if never, -1 while "
        "the exporter has no public key (checkpoints).",
        initially=_NOT_VERIFIED,
    )


class CanaryMetrics(BuildMetrics):
    """The canary."""

    sent = counter("icam_canary_sent", "Canary events published.")
    missed = counter("icam_canary_missed", "Canary events whose announcement did not come in time.")
    seconds = histogram(
        "icam_canary_seconds",
        "Time from publishing a canary event to reading its announcement.",
        _SECONDS,
    )
    last_success = gauge(
        "icam_canary_last_success_timestamp_seconds",
        "When an announcement of the canary last came in time, as Unix time; 0 before.",
    )


class BoardMetrics(BuildMetrics):
    """The board."""

    clients = gauge("icam_board_clients", "Open pages that receive every new state.")
    reading_age = gauge(
        "icam_board_reading_age_seconds",
        "Age of the last reading that the page shows; -1 before the first.",
    )
