"""Check that no escalation stands against a guard, by its evidence and by the case's facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from schemas.codes import Guard
from schemas.events import (
    CircumstanceChanged,
    CircumstanceOutcome,
    CircumstanceState,
    HouseholdKind,
    InterviewCompleted,
)
from schemas.outcomes import Evidence, GuardCheck, GuardReport, GuardState
from schemas.producers import Producers, type_of
from streams.audit.answers import circumstance_ends
from streams.audit.cases import CaseRows, StandingEscalation
from streams.audit.database import Snapshot
from streams.audit.endings import current_order
from streams.audit.findings import Check
from streams.audit.policies import AuditedPolicy, deciding
from streams.audit.refold import Facts

_REPORTED_BY_END: Final = (
    Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED,
    Guard.NON_REFOULEMENT_CHECK_MISSING,
)
"""Checks: an end without a begin reports a check that was made, not a period that ended."""


def check_evidence(check: Check, snapshot: Snapshot, policies: Mapping[str, AuditedPolicy]) -> None:
    """Check that every standing escalation was raised with each guard clear or waived by its rule.

    Guards that its rule requires must have been reported clear.
    """
    rows = snapshot.rows(
        """
        SELECT escalation_id, round, rule_id, policy_digest,
               coalesce((body->'evidence')::text, '')
        FROM escalation LEFT JOIN outbox USING (message_id) WHERE withdrawn_at IS NULL
        """
    )
    for escalation_id, number, rule_id, policy_digest, text in rows:
        check.compared += 1
        reference = f"{escalation_id}/{number}"
        guards = _guard_checks(text)
        if not guards:
            check.found(reference, "its evidence lists no guard")
        for guard, found in guards.items():
            state = found.state
            passes = state in (GuardState.CLEAR, GuardState.WAIVED)
            check.expect(
                passes, reference, f"stands although its evidence has guard {guard} as {state}"
            )
        waived = _waived(guards)
        policy = policies.get(policy_digest)
        if policy is not None:
            for guard in sorted(waived - policy.waivers.get(rule_id, frozenset())):
                check.found(
                    reference, f"evidence waives guard {guard}, which its rule does not waive"
                )
            for guard in sorted(policy.requires.get(rule_id, ())):
                clear = guard in guards and guards[guard].report is GuardReport.CLEAR
                check.expect(clear, reference, f"guard {guard} was not reported clear")


def check_dead_letters(
    check: Check,
    snapshot: Snapshot,
    policies: Mapping[str, AuditedPolicy],
    producers: Producers,
) -> None:
    """Check that no escalation stands that an open dead letter of its case holds back.

    Such a case may lack a fact that blocks the escalation. On a topic of circumstances alone that
    is one of those that its producers may report: an escalation stands if its rule waives all of
    them, under the policy that decided the case last.
    """
    rows = snapshot.rows(
        """
        SELECT held.escalation_id, held.round, held.rule_id, letter.dead_letter_id, letter.topic,
               projection.reference_digest
        FROM dead_letter AS letter CROSS JOIN unnest(letter.case_ids) AS named (case_id)
        JOIN escalation AS held USING (case_id)
        LEFT JOIN case_projection AS projection USING (case_id)
        WHERE letter.resolved_at IS NULL AND held.withdrawn_at IS NULL
        """
    )
    for escalation_id, number, rule_id, letter, topic, reference_digest in rows:
        policy = deciding(policies, reference_digest)
        waived = policy.waivers.get(rule_id, frozenset()) if policy is not None else frozenset()
        reportable = _reportable(topic, producers)
        if reportable is None or not reportable <= waived:
            check.found(
                f"{escalation_id}/{number}", f"stands although dead letter {letter} is open"
            )


def _reportable(topic: str, producers: Producers) -> frozenset[str] | None:
    """Return what a record of a topic can report if that is circumstances only, else None."""
    entries = producers.on_topic(topic)
    if not entries or type_of(topic) != "icam.circumstance-changed.v1":
        return None
    return frozenset(guard.value for entry in entries for guard in entry.circumstances)


def check_facts(
    check: Check,
    snapshot: Snapshot,
    case: CaseRows,
    facts: Facts,
    policies: Mapping[str, AuditedPolicy],
    overdue_before: datetime,
) -> None:
    """Check, without using the evidence, that no escalation stands against a guard in the facts.

    Guards are evaluated as of the last decision on the case, or as of ``overdue_before`` when that
    is later: a guard that began before then must have been applied. A rule may waive a guard that
    was clear when the escalation was raised, so the waivers are those of the policy under which the
    case was last decided. Where that policy is not recorded, the waivers in the evidence count.
    """
    row = case.projection
    decided = row.updated_at if row else None
    at = max(decided, overdue_before) if decided else overdue_before
    policy = deciding(policies, row.reference_digest if row else None)
    blocking = {guard.value for guard in blocked_by(case.case_id, facts, policy, at)}
    for escalation in case.standing if blocking else ():
        if policy is not None:
            waived = policy.waivers.get(escalation.rule_id, frozenset())
        else:
            waived = _waived_by_evidence(snapshot, escalation)
        for guard in sorted(blocking - waived):
            check.found(escalation.reference, f"stands although guard {guard} blocks by the facts")


def blocked_by(
    case_id: str, facts: Facts, policy: AuditedPolicy | None, at: datetime
) -> set[Guard]:
    """Return the guards that block at an instant, by the facts alone."""
    found = set(_circumstances(case_id, facts, policy, at))
    order = current_order(facts, at)
    if order is not None and order.household.kind is HouseholdKind.UNACCOMPANIED_MINOR:
        found.add(Guard.UNACCOMPANIED_MINOR)
    if order is not None and not order.notification.proven:
        found.add(Guard.NOTIFICATION_NOT_PROVEN)
    return found


def _circumstances(
    case_id: str, facts: Facts, policy: AuditedPolicy | None, at: datetime
) -> Iterable[Guard]:
    """Yield the circumstances in effect at an instant.

    A circumstance that ends before it begins is contradictory and counts as in effect, and so does
    a procedure that ended without a decision, until a person answers that it no longer holds.
    """
    changes: dict[tuple[Guard, str], dict[CircumstanceState, CircumstanceChanged]] = {}
    ranks: dict[tuple[Guard, str, CircumstanceState], int] = {}
    for version in facts.values():
        event = version.event
        if isinstance(event, CircumstanceChanged):
            changes.setdefault((event.circumstance, event.reference), {})[event.state] = event
            ranks[event.circumstance, event.reference, event.state] = version.rank
    answered = circumstance_ends(case_id, facts, policy, at)
    for (guard, reference), states in changes.items():
        begin, end = states.get(CircumstanceState.BEGINS), states.get(CircumstanceState.ENDS)
        if (guard, reference) in answered:
            continue
        lowest = ranks.get((guard, reference, CircumstanceState.BEGINS), 0)
        if end and ranks[guard, reference, CircumstanceState.ENDS] < lowest:
            end = None  # its source may not correct the begin
        begins = begin.effective_at if begin else None
        ends = end.effective_at if end else None
        if begins is not None and ends is not None and ends < begins:
            yield guard
            continue
        if begins is None and guard in _REPORTED_BY_END:
            continue
        if end is not None and policy is not None and guard.value in policy.decided:
            ends = ends if end.outcome not in (None, CircumstanceOutcome.UNKNOWN) else None
        if guard is Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED and begins and ends is None:
            ends = _reviewed(facts, begins)
        if (begins is None or begins <= at) and (ends is None or ends > at):
            yield guard


def _reviewed(facts: Facts, since: datetime) -> datetime | None:
    """Return when an interview first reviewed vulnerability after an instant."""
    reviews = [
        v.event.held_at
        for v in facts.values()
        if isinstance(v.event, InterviewCompleted)
        and v.event.vulnerability_reviewed
        and v.event.held_at >= since
    ]
    return min(reviews, default=None)


def _waived_by_evidence(snapshot: Snapshot, escalation: StandingEscalation) -> frozenset[str]:
    """Return the guards that the evidence of a standing escalation lists as waived. Reads it."""
    rows = snapshot.found(
        """
        SELECT coalesce((body->'evidence')::text, '')
        FROM escalation LEFT JOIN outbox USING (message_id)
        WHERE escalation_id = %s AND round = %s
        """,
        escalation.escalation_id,
        escalation.number,
    )
    return frozenset().union(*(_waived(_guard_checks(text)) for (text,) in rows))


def _waived(guards: Mapping[str, GuardCheck]) -> frozenset[str]:
    return frozenset(name for name, found in guards.items() if found.state == GuardState.WAIVED)


def _guard_checks(evidence: str) -> dict[str, GuardCheck]:
    """Return each guard's check in an evidence; none when the evidence can't be read."""
    try:
        checks = Evidence.read_json(evidence).guards
    except ValidationError:
        return {}
    return {check.guard.value: check for check in checks}
