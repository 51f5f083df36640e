"""Check that no escalation stands against a guard, by its evidence and by the case's facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError

from schemas.events import (
    Answer,
    AnswerReason,
    CircumstanceChanged,
    Event,
    HouseholdKind,
    InterviewCompleted,
    ProposalAnswered,
)
from schemas.outcomes import Evidence, GuardState
from schemas.types import Guard
from streams.audit.cases import CaseRows
from streams.audit.database import Snapshot
from streams.audit.findings import Check
from streams.audit.identity import escalation
from streams.audit.policies import AuditedPolicy, deciding
from streams.audit.refold import Facts, current_order


@dataclass(frozen=True, slots=True)
class StandingEscalation:
    """One standing escalation, and the guards that its evidence lists as waived."""

    reference: str
    rule_id: str
    waived: frozenset[str]


def check_evidence(
    check: Check, snapshot: Snapshot, policies: Mapping[str, AuditedPolicy]
) -> dict[str, list[StandingEscalation]]:
    """Check that every standing escalation was raised with each guard clear or waived by its rule.

    Returns the standing escalations, by case id.
    """
    standing: dict[str, list[StandingEscalation]] = {}
    rows = snapshot.rows(
        """
        SELECT case_id, escalation_id, round, rule_id, policy_digest,
               coalesce((body->'evidence')::text, '')
        FROM escalation LEFT JOIN outbox USING (message_id) WHERE withdrawn_at IS NULL
        """
    )
    for case_id, escalation_id, number, rule_id, policy_digest, text in rows:
        check.compared += 1
        reference = f"{escalation_id}/{number}"
        states = _guard_states(text)
        if not states:
            check.found(reference, "its evidence lists no guard")
        for guard, state in states.items():
            passes = state in (GuardState.CLEAR, GuardState.WAIVED)
            check.expect(
                passes, reference, f"stands although its evidence has guard {guard} as {state}"
            )
        waived = frozenset(g for g, state in states.items() if state == GuardState.WAIVED)
        policy = policies.get(policy_digest)
        if policy is not None:
            for guard in sorted(waived - policy.waivers.get(rule_id, frozenset())):
                check.found(
                    reference, f"evidence waives guard {guard}, which its rule does not waive"
                )
        standing.setdefault(case_id, []).append(StandingEscalation(reference, rule_id, waived))
    return standing


def check_dead_letters(check: Check, snapshot: Snapshot) -> None:
    """Check that no escalation stands on a case named in an open dead letter.

    Such a case may lack a fact that blocks the escalation.
    """
    rows = snapshot.rows(
        """
        SELECT held.escalation_id, held.round, letter.dead_letter_id
        FROM dead_letter AS letter CROSS JOIN unnest(letter.case_ids) AS named (case_id)
        JOIN escalation AS held USING (case_id)
        WHERE letter.resolved_at IS NULL AND held.withdrawn_at IS NULL
        """
    )
    for escalation_id, number, letter in rows:
        check.found(f"{escalation_id}/{number}", f"stands although dead letter {letter} is open")


def check_facts(
    check: Check,
    case: CaseRows,
    facts: Facts,
    standing: Sequence[StandingEscalation],
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
    asking = policy.asking if policy is not None else ()
    blocking = {guard.value for guard in blocked_by(facts, at, case.case_id, asking)}
    for one in standing:
        waived = one.waived
        if policy is not None:
            waived = policy.waivers.get(one.rule_id, frozenset())
        for guard in sorted(blocking - waived):
            check.found(one.reference, f"stands although guard {guard} blocks by the facts")


def blocked_by(
    facts: Facts, at: datetime, case_id: str = "", asking: Sequence[str] = ()
) -> set[Guard]:
    """Return the guards that block at an instant, by the facts alone.

    ``asking`` are the rules whose answers can end a circumstance.
    """
    found = set(_circumstances(facts, at, case_id, asking))
    order = current_order(facts, at)
    if order is not None and order.household.kind is HouseholdKind.UNACCOMPANIED_MINOR:
        found.add(Guard.UNACCOMPANIED_MINOR)
    if order is not None and not order.notification.proven:
        found.add(Guard.NOTIFICATION_NOT_PROVEN)
    return found


_CHECKS: Final = (Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED, Guard.NON_REFOULEMENT_CHECK_MISSING)
"""Guards whose end without a begin reports a check, not the end of a period."""


def _circumstances(
    facts: Facts, at: datetime, case_id: str, asking: Sequence[str]
) -> Iterable[Guard]:
    """Yield the circumstances in effect at an instant.

    A circumstance that ends before it begins is contradictory and counts as in effect. An answer
    that it no longer holds ends it.
    """
    spans: dict[tuple[Guard, str], dict[str, datetime]] = {}
    for version in facts.values():
        event = version.event
        if isinstance(event, CircumstanceChanged):
            span = spans.setdefault((event.circumstance, event.reference), {})
            span[event.state.value] = event.effective_at
    for (guard, reference), span in spans.items():
        begins, ends = span.get("begins"), span.get("ends")
        if begins is None and guard in _CHECKS:
            continue
        if guard is Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED and begins and ends is None:
            ends = _reviewed(facts, begins)
        if _answered(facts, at, case_id, asking, guard, reference):
            continue
        contradictory = begins is not None and ends is not None and ends < begins
        begun = begins is None or begins <= at
        if contradictory or (begun and (ends is None or ends > at)):
            yield guard


def _answered(
    facts: Facts, at: datetime, case_id: str, asking: Sequence[str], guard: Guard, reference: str
) -> bool:
    """Return whether an answer says that a circumstance no longer holds.

    The question's occasion may name a day, so every day from the first fact on is tried.
    """
    said = {
        v.event.escalation_id: v.event.answered_at
        for v in facts.values()
        if isinstance(v.event, ProposalAnswered)
        and v.event.reason is AnswerReason.NO_LONGER_HOLDS
        and v.event.answer in (Answer.DONE, Answer.NOT_APPLICABLE)
        and v.event.answered_at <= at
    }
    if not said:
        return False
    name = f"{guard.value}/{reference}"
    first = min(_begins(v.event) or v.time for v in facts.values()).date() - timedelta(days=1)
    days = [first + timedelta(days=day) for day in range((at.date() - first).days + 3)]
    occasions = [f"decision/{name}", *(f"circumstance/{name}/{day.isoformat()}" for day in days)]
    return any(
        str(escalation(case_id, rule, occasion)) in said
        for rule in asking
        for occasion in occasions
    )


def _begins(event: Event) -> datetime | None:
    return event.effective_at if isinstance(event, CircumstanceChanged) else None


def _reviewed(facts: Facts, since: datetime) -> datetime | None:
    """Return when an interview first reviewed vulnerability, under any order."""
    reviews = [
        v.event.held_at
        for v in facts.values()
        if isinstance(v.event, InterviewCompleted)
        and v.event.vulnerability_reviewed
        and v.event.held_at >= since
    ]
    return min(reviews, default=None)


def _guard_states(evidence: str) -> dict[str, str]:
    """Return each guard's state in an evidence; none when the evidence can't be read."""
    try:
        checks = Evidence.model_validate_json(evidence).guards
    except ValidationError:
        return {}
    return {check.guard.value: check.state.value for check in checks}
