"""Check every escalation, standing or withdrawn: its id, rounds, policy, events and level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Final

from schemas.outcomes import ESCALATION_TOPIC
from streams.audit import identity
from streams.audit.database import Snapshot
from streams.audit.findings import Check
from streams.audit.policies import AuditedPolicy


def check_ledger(check: Check, snapshot: Snapshot, policies: Mapping[str, AuditedPolicy]) -> None:
    """Check each ledger row: id, policy, round order, and one standing escalation per rule."""
    standing: Counter[tuple[str, str]] = Counter()
    policy_digests: set[str] = set()
    rows = snapshot.rows(
        """
        SELECT escalation_id, round, case_id, rule_id, occasion, policy_digest,
               withdrawn_at IS NULL AS stands
        FROM escalation ORDER BY escalation_id, round
        """
    )
    for escalation_id, rounds in groupby(rows, key=itemgetter(0)):
        stands_at: list[int] = []
        last = 0
        for _, number, case_id, rule_id, occasion, policy_digest, stands in rounds:
            check.compared += 1
            reference = f"{escalation_id}/{number}"
            matches = escalation_id == identity.escalation(case_id, rule_id, occasion)
            check.expect(matches, reference, "id does not match its case, rule and occasion")
            check.expect(policy_digest in policies, reference, "policy is not recorded")
            check.expect(number == last + 1, reference, f"round {number} follows round {last}")
            policy_digests.add(policy_digest)
            last = number
            if stands:
                stands_at.append(number)
                standing[case_id, rule_id] += 1
        check.expect(stands_at in ([], [last]), escalation_id, "a round before the last one stands")
    for (case_id, rule_id), count in standing.items():
        check.expect(count == 1, case_id, f"{count} escalations of rule {rule_id} stand at once")
    for digest in policy_digests & policies.keys():
        check.expect(policies[digest].intact, digest, "policy text does not match its digest")
    for escalation_id, number in snapshot.rows(_NOT_IN_FORCE):
        check.found(f"{escalation_id}/{number}", "its policy was not in force when it was raised")


_NOT_IN_FORCE: Final = """
    SELECT escalation_id, round FROM escalation
    WHERE raised_at > (SELECT min(published_at) FROM publication WHERE kind = 'policy')
      AND NOT EXISTS (
        SELECT FROM publication
        WHERE kind = 'policy' AND digest = policy_digest AND published_at <= raised_at
          AND valid_from <= (raised_at AT TIME ZONE 'Europe/Brussels')::date)
"""
"""Escalations since the first publication whose version had not been published, or lay ahead."""


def check_basis(check: Check, snapshot: Snapshot) -> None:
    """Check that each escalation cites events of its own case, the same as its evidence cites."""
    missing = snapshot.rows(
        """
        SELECT held.escalation_id, held.round, basis.event_id
        FROM escalation AS held CROSS JOIN unnest(held.event_ids) AS basis (event_id)
        LEFT JOIN case_event AS event
          ON event.event_id = basis.event_id AND event.case_id = held.case_id
        WHERE event.event_id IS NULL
        """
    )
    for escalation_id, number, event_id in missing:
        check.found(f"{escalation_id}/{number}", f"event {event_id} is not in its case's log")
    mismatched = snapshot.rows(
        """
        SELECT escalation_id, round FROM escalation LEFT JOIN outbox USING (message_id)
        WHERE cardinality(event_ids) = 0
           OR to_json(event_ids)::jsonb IS DISTINCT FROM (body->'evidence'->'event_ids')::jsonb
        """
    )
    for escalation_id, number in mismatched:
        check.found(
            f"{escalation_id}/{number}", "cites no event, or other events than its evidence"
        )


def check_levels(check: Check, snapshot: Snapshot) -> None:
    """Check that a case's level is the highest level standing on it, or 0 when none stands."""
    rows = snapshot.rows(
        """
        SELECT case_id, shown.level, coalesce(standing.level, 0)
        FROM case_projection AS shown FULL JOIN (
            SELECT case_id, max(level) AS level FROM escalation
            WHERE withdrawn_at IS NULL GROUP BY case_id) AS standing USING (case_id)
        WHERE shown.level IS DISTINCT FROM coalesce(standing.level, 0)
        """
    )
    for case_id, projected, standing in rows:
        check.found(case_id, f"projection has level {projected}, but level {standing} stands")


def check_announced(check: Check, snapshot: Snapshot) -> None:
    """Check that each escalation is what its announcement says, and withdrawn as announced."""
    rows = snapshot.rows(
        """
        SELECT escalation_id, round FROM escalation JOIN outbox USING (message_id)
        WHERE (body->>'escalation_id', body->>'round', body->>'case_id', body->>'order_id',
               body->>'rule_id', body->>'occasion', body->>'level', body->>'action',
               body->>'policy_version', body->>'policy_digest', body->>'office_id',
               body->>'track', (body->>'due_at')::timestamptz,
               (body->>'detected_at')::timestamptz)
           IS DISTINCT FROM
              (escalation_id::text, round::text, case_id, order_id, rule_id, occasion,
               level::text, action, policy_version, policy_digest, office_id, track, due_at,
               raised_at)
        """
    )
    for escalation_id, number in rows:
        check.found(f"{escalation_id}/{number}", "is not what its announcement says")
    withdrawn = snapshot.rows(
        """
        SELECT held.escalation_id, held.round FROM escalation AS held JOIN outbox AS said
          ON said.topic = %s AND said.key = held.case_id AND said.body->>'kind' = 'withdrawn'
         AND said.body->>'escalation_id' = held.escalation_id::text
         AND said.body->>'round' = held.round::text
        WHERE held.withdrawn_at IS NOT NULL
          AND (held.withdrawn_at, held.withdrawal->>'reason') IS DISTINCT FROM
              ((said.body->>'withdrawn_at')::timestamptz, said.body->>'reason')
        """,
        ESCALATION_TOPIC,
    )
    for escalation_id, number in withdrawn:
        check.found(f"{escalation_id}/{number}", "is not withdrawn as was announced")
