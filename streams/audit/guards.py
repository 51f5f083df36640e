"""Nothing stands against a guard: by its own evidence, and by the facts read a second time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from schemas.events import CircumstanceChanged, HouseholdKind, InterviewCompleted
from schemas.outcomes import Evidence, GuardState
from schemas.types import Guard
from streams.audit.cases import CaseRows
from streams.audit.database import Snapshot
from streams.audit.findings import Check
from streams.audit.policies import AuditedPolicy, deciding
from streams.audit.refold import Facts, current_order


@dataclass(frozen=True, slots=True)
class StandingEscalation:
    """One escalation that stands, and the guards its evidence says were waived."""

    reference: str
    rule_id: str
    waived: frozenset[str]


def check_evidence(
    check: Check, snapshot: Snapshot, policies: Mapping[str, AuditedPolicy]
) -> dict[str, list[StandingEscalation]]:
    """Prove that what stands was raised with every guard clear or waived by its own rule.

    Returns what stands, by case.
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
        read = _guards(text)
        if not read:
            check.found(reference, "its evidence names no guard")
        for guard, state in read.items():
            passes = state in (GuardState.CLEAR, GuardState.WAIVED)
            check.expect(passes, reference, f"stands with guard {guard} {state}")
        waived = frozenset(g for g, state in read.items() if state == GuardState.WAIVED)
        policy = policies.get(policy_digest)
        if policy is not None:
            for guard in sorted(waived - policy.waivers.get(rule_id, frozenset())):
                check.found(reference, f"waives guard {guard}, which its rule does not")
        standing.setdefault(case_id, []).append(StandingEscalation(reference, rule_id, waived))
    return standing


def check_letters(check: Check, snapshot: Snapshot) -> None:
    """Prove that nothing stands on a case that an open dead letter names: a fact is missing."""
    rows = snapshot.rows(
        """
        SELECT held.escalation_id, held.round, letter.dead_letter_id
        FROM dead_letter AS letter CROSS JOIN unnest(letter.case_ids) AS named (case_id)
        JOIN escalation AS held USING (case_id)
        WHERE letter.resolved_at IS NULL AND held.withdrawn_at IS NULL
        """
    )
    for escalation_id, number, letter in rows:
        check.found(f"{escalation_id}/{number}", f"stands with dead letter {letter} open")


def check_facts(
    check: Check,
    case: CaseRows,
    facts: Facts,
    standing: Sequence[StandingEscalation],
    policies: Mapping[str, AuditedPolicy],
    lately: datetime,
) -> None:
    """Prove, without the evidence, that nothing stands against a fact that blocks it.

    Read as of the last decision on the case, or ``lately`` when that is later: by then the passing
    of time must have been noticed. A rule may waive a guard after it was raised with that guard
    clear, so waivers are those of the policy the case was decided under; the evidence's count
    where that policy is not known.
    """
    shown = case.projection
    decided = shown.updated_at if shown else None
    at = max(decided, lately) if decided else lately
    policy = deciding(policies, shown.reference_digest if shown else None)
    blocking = {guard.value for guard in blocked_by(facts, at)}
    for each in standing:
        waived = each.waived
        if policy is not None:
            waived = policy.waivers.get(each.rule_id, frozenset())
        for guard in sorted(blocking - (waived - {Guard.UNACCOMPANIED_MINOR.value})):
            check.found(each.reference, f"stands while the facts say {guard}")


def blocked_by(facts: Facts, at: datetime) -> set[Guard]:
    """Return the guards that the facts alone raise at an instant."""
    found = set(_circumstances(facts, at))
    order = current_order(facts)
    if order is not None and order.household.kind is HouseholdKind.UNACCOMPANIED_MINOR:
        found.add(Guard.UNACCOMPANIED_MINOR)
    if order is not None and not order.notification.proven:
        found.add(Guard.NOTIFICATION_NOT_PROVEN)
    return found


def _circumstances(facts: Facts, at: datetime) -> Iterable[Guard]:
    """Yield circumstances begun and not ended; an end before its begin settles nothing."""
    spans: dict[tuple[Guard, str], dict[str, datetime]] = {}
    for version in facts.values():
        event = version.event
        if isinstance(event, CircumstanceChanged):
            span = spans.setdefault((event.circumstance, event.reference), {})
            span[event.state.value] = event.effective_at
    for (guard, _), span in spans.items():
        begins, ends = span.get("begins"), span.get("ends")
        if guard is Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED and begins and ends is None:
            ends = _reviewed(facts, begins)
        contradictory = begins is not None and ends is not None and ends < begins
        begun = begins is None or begins <= at
        if contradictory or (begun and (ends is None or ends > at)):
            yield guard


def _reviewed(facts: Facts, since: datetime) -> datetime | None:
    """Return when an interview under the current order first reviewed vulnerability."""
    order = current_order(facts)
    held = [
        v.event.held_at
        for v in facts.values()
        if isinstance(v.event, InterviewCompleted)
        and order is not None
        and v.event.order_id == order.order_id
        and v.event.vulnerability_reviewed
        and v.event.held_at >= since
    ]
    return min(held, default=None)


def _guards(evidence: str) -> dict[str, str]:
    try:
        checks = Evidence.model_validate_json(evidence).guards
    except ValidationError:
        return {}
    return {check.guard.value: check.state.value for check in checks}


def lately(now: datetime, due_bound_seconds: float) -> datetime:
    """Return the instant up to which the passing of time must have been noticed."""
    return now - timedelta(seconds=due_bound_seconds)
