"""One audit: reads Kafka and the database in a fixed order and runs every check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from schemas.outcomes import OUTPUT_TOPICS
from schemas.producers import Producers
from streams.audit import (
    announced,
    attention,
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
from streams.audit.decoding import authority
from streams.audit.findings import Check, Report, report
from streams.audit.kafka import KafkaLog
from streams.audit.log import Log


def audit(
    client: Mapping[str, Any],
    database_url: str,
    *,
    group: str,
    producers: Producers,
    produced: Iterable[UUID] | None = None,
    drained: bool = False,
    due_bound_seconds: float = 300,
    canaries: Sequence[str] = (),
    texts: Mapping[str, str] | None = None,
) -> Report:
    """Verify every guarantee of the pipeline from Kafka and the database alone. Blocks.

    Safe while the pipeline runs: it only reads, joins no group, and does not report records that
    are still in flight. With ``drained``, records in flight are reported too.

    Args:
        client: how the Kafka client connects, by librdkafka's names.
        database_url: the pipeline's database.
        group: the workers' consumer group, whose committed offsets are checked.
        producers: the input topics, and which producer may say what on them.
        produced: event ids that producers saw acknowledged; None skips this check.
        drained: require that every record is committed and every outbox row published.
        due_bound_seconds: how many seconds a case may be overdue before that is a violation.
        canaries: texts from input records that must not appear in anything the pipeline writes.
        texts: logs and metrics to search for personal data, text by name.

    Raises:
        AuditError: Kafka or the database can't be read.
    """
    with KafkaLog(client) as log:
        return audit_log(
            log,
            database_url,
            group=group,
            producers=producers,
            produced=produced,
            drained=drained,
            due_bound_seconds=due_bound_seconds,
            canaries=canaries,
            texts=texts,
        )


def audit_log(
    log: Log,
    database_url: str,
    *,
    group: str,
    producers: Producers,
    produced: Iterable[UUID] | None = None,
    drained: bool = False,
    due_bound_seconds: float = 300,
    canaries: Sequence[str] = (),
    texts: Mapping[str, str] | None = None,
) -> Report:
    """Run the audit as ``audit`` does, on a given log.

    The order of reading keeps the result correct while records arrive:

    1. Read the ends of the output topics: records below them come from outbox rows in the snapshot.
    2. Read the committed offsets: records below them must be in the snapshot.
    3. Open the snapshot of the database, as of one instant.
    4. Read the ends of all topics: records that the snapshot refers to are below them.
    """
    log_check = Check("log", "committed records, events and dead letters")
    offset_check = Check("offsets", "committed offsets")
    fold_check = Check("fold", "cases folded a second time")
    ledger_check = Check("escalations", "escalation rounds")
    guard_check = Check("guards", "standing escalations")
    outbox_check = Check("outbox", "outbox rows, published records, rounds")
    deadline_check = Check("deadlines", "cases with a deadline")
    attention_check = Check("attention", "cases, ended and not")
    privacy_check = Check("personal data", "texts that the pipeline wrote")
    checks = [log_check, offset_check, fold_check, ledger_check, guard_check, outbox_check]
    checks += [deadline_check, attention_check, privacy_check]

    before, inputs = log.spans(OUTPUT_TOPICS), producers.topics
    committed = log.committed(group, log.spans(inputs))
    with snapshot(database_url) as snap:
        spans, after = log.spans(inputs), log.spans(OUTPUT_TOPICS)
        overdue_before = deadlines.overdue_limit(snap.now, due_bound_seconds)

        stored_input = stored.load(snap)
        input_records = received.read_input(
            log_check,
            log,
            stored_input,
            spans,
            committed,
            authority(snap, producers),
            drained=drained,
            with_exempt_ids=produced is not None,
        )
        received.check_times(log_check, snap, input_records.first_seen, spans)
        received.check_gaps(log_check, snap)
        received.check_offsets(offset_check, input_records, spans, committed)
        if produced is not None:
            producer_check = Check("producer", "events acknowledged to their producers")
            received.check_producer(producer_check, produced, stored_input, input_records)
            checks.append(producer_check)

        recorded = policies.load(snap)
        escalations.check_ledger(ledger_check, snap, recorded)
        escalations.check_basis(ledger_check, snap)
        escalations.check_announced(ledger_check, snap)
        escalations.check_levels(ledger_check, snap)
        guards.check_evidence(guard_check, snap, recorded)
        guards.check_dead_letters(guard_check, snap, recorded, producers)

        watched = attention.load(snap, due_bound_seconds)
        attention.check_hidden(attention_check, snap)
        of_reused_ids = folds.cases_of_reused_ids(snap)
        for case in cases(snap):
            folds.check_contents(log_check, case)
            facts = folds.check_fold(fold_check, case, producers, of_reused_ids)
            if case.standing:
                guards.check_facts(guard_check, snap, case, facts, recorded, overdue_before)
            attention.check_attention(attention_check, case, facts, recorded, watched)

        published = announced.check_topics(outbox_check, log, snap, before, after)
        announced.check_order(outbox_check, snap, published)
        announced.check_published(outbox_check, snap, published, drained=drained)
        announced.check_rounds(outbox_check, snap)
        announced.check_endings(outbox_check, snap)
        deadlines.check_deadlines(deadline_check, snap, overdue_before)
        privacy.check_privacy(privacy_check, snap, canaries, texts or {})

        counts = {f"records.{topic}": input_records.counts[topic] for topic in inputs}
        counts |= {f"records.{topic}": published.counts[topic] for topic in OUTPUT_TOPICS}
        counts |= {"records.pending": input_records.pending, **count(snap)}
        counts["outbox.repeated"] = published.repeated
    return report(checks, counts)
