"""One audit: what is read, in which order, and which checks judge it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from schemas.events import INPUT_TOPICS
from schemas.outcomes import OUTPUT_TOPICS
from streams.audit import (
    announced,
    deadlines,
    escalations,
    folds,
    guards,
    policies,
    privacy,
    received,
    stored,
)
from streams.audit.cases import cases
from streams.audit.counts import count
from streams.audit.database import snapshot
from streams.audit.findings import Check, Report, report
from streams.audit.kafka import KafkaLog
from streams.audit.log import Log


def audit(
    bootstrap: str,
    database_url: str,
    *,
    group: str,
    produced: Iterable[UUID] | None = None,
    drained: bool = False,
    due_bound_seconds: float = 300,
    canaries: Sequence[str] = (),
    papers: Mapping[str, str] | None = None,
) -> Report:
    """Judge everything the pipeline promises, from Kafka and the database alone. Blocks.

    Safe beside a running pipeline: reads only, joins no group, and finds nothing that is merely
    under way. With ``drained`` nothing may be under way any more. ``produced`` are the event ids
    that producers saw acknowledged. ``canaries`` are texts that records hold and nothing of ours
    may repeat, ``papers`` the logs and metrics to search for them, by name.

    Raises:
        AuditError: Kafka or the database can't be read.
    """
    with KafkaLog(bootstrap) as log:
        return audit_log(
            log,
            database_url,
            group=group,
            produced=produced,
            drained=drained,
            due_bound_seconds=due_bound_seconds,
            canaries=canaries,
            papers=papers,
        )


def audit_log(
    log: Log,
    database_url: str,
    *,
    group: str,
    produced: Iterable[UUID] | None = None,
    drained: bool = False,
    due_bound_seconds: float = 300,
    canaries: Sequence[str] = (),
    papers: Mapping[str, str] | None = None,
) -> Report:
    """Judge as ``audit`` does, with Kafka handed in.

    The order of reading is what makes it sound while records flow:

    1. Ends of the output topics: what is below them came from rows the snapshot will see.
    2. Committed offsets: what is below them must be in the snapshot.
    3. The snapshot of the database, of one instant.
    4. Ends of all topics: what the snapshot knows of Kafka is below them.
    """
    log_check = Check("log", "records committed, events and dead letters")
    offset_check = Check("offsets", "committed offsets")
    fold_check = Check("fold", "cases folded again")
    ledger_check = Check("escalations", "escalation rounds")
    guard_check = Check("guards", "standing escalations")
    outbox_check = Check("outbox", "outbox rows, records announced, rounds")
    deadline_check = Check("deadlines", "cases with a time to look again")
    privacy_check = Check("personal data", "texts of our own")
    checks = [log_check, offset_check, fold_check, ledger_check, guard_check, outbox_check]
    checks += [deadline_check, privacy_check]

    before = log.spans(OUTPUT_TOPICS)
    committed = log.committed(group, log.spans(INPUT_TOPICS))
    with snapshot(database_url) as snap:
        spans, after = log.spans(INPUT_TOPICS), log.spans(OUTPUT_TOPICS)
        lately = guards.lately(snap.now, due_bound_seconds)

        kept = stored.load(snap)
        reading = received.read_input(log_check, log, kept, spans, committed, drained=drained)
        received.check_offsets(offset_check, reading, spans, committed)
        if produced is not None:
            producer_check = Check("producer", "events acknowledged to their producers")
            received.check_producer(producer_check, produced, kept, reading)
            checks.append(producer_check)
        del kept

        known = policies.load(snap)
        escalations.check_ledger(ledger_check, snap, known)
        escalations.check_basis(ledger_check, snap)
        escalations.check_levels(ledger_check, snap)
        standing = guards.check_evidence(guard_check, snap, known)
        guards.check_letters(guard_check, snap)

        named = folds.named_by_letters(snap)
        for case in cases(snap):
            folds.check_contents(log_check, case)
            facts = folds.check_fold(fold_check, case, named)
            if case.case_id in standing:
                stands = standing[case.case_id]
                guards.check_facts(guard_check, case, facts, stands, known, lately)

        outbox = announced.load(snap)
        horizon = announced.check_topics(outbox_check, log, outbox, before, after)
        announced.check_published(outbox_check, snap, outbox, horizon, drained=drained)
        announced.check_rounds(outbox_check, snap, outbox)
        deadlines.check_deadlines(deadline_check, snap, lately)
        privacy.check_privacy(privacy_check, snap, canaries, papers or {})

        counts = {f"records.{topic}": reading.records[topic] for topic in INPUT_TOPICS}
        counts |= {f"records.{topic}": horizon.records[topic] for topic in OUTPUT_TOPICS}
        counts |= {"records.pending": reading.pending, **count(snap, outbox)}
    return report(checks, counts)
