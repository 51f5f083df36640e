"""Explain what a decision announced, as ``icam case`` does from the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from schemas.outcomes import EscalationRaised, EscalationWithdrawn
from streams.domain.case import Fact
from streams.domain.decision import Announced, Decision
from streams.domain.explain.cases import CaseView, HeldGuard, HeldRule, explain_case
from streams.domain.explain.proposals import Proposal, explain_proposal
from streams.domain.explain.wording import Wording
from tests.domain import given


def wording(language: str) -> Wording:
    return given.ref().wording(language)


def explained(
    facts: Iterable[Fact], now: datetime, rule: str, language: str = "en", after: int = 0
) -> list[str]:
    """Return the explanation of a proposal that stands at ``now``, read ``after`` days later."""
    known = list(facts)
    standing = given.standing(known, now)
    proposal = Proposal(
        standing[rule],
        now + timedelta(days=after),
        facts={str(fact.event_id): fact for fact in known},
        standing_rules=standing.keys(),
    )
    return explain_proposal(proposal, wording(language))


def view(
    facts: Sequence[Fact],
    decisions: Sequence[Decision],
    now: datetime,
) -> CaseView:
    """Return the case as stored after these decisions: the last one's projection, all proposals."""
    last = decisions[-1]
    outcomes = [outcome for decision in decisions for outcome in given.outcomes(decision)]
    withdrawn = {
        (one.escalation_id, one.round): one
        for one in outcomes
        if isinstance(one, EscalationWithdrawn)
    }
    raised = [one for one in outcomes if isinstance(one, EscalationRaised)]
    rules = {one.rule_id for one in raised if (one.escalation_id, one.round) not in withdrawn}
    by_id = {str(fact.event_id): fact for fact in facts}
    return CaseView(
        case_id=given.CASE_ID,
        status=last.status,
        order_id=last.order_id,
        office_id=last.office_id,
        track=last.track,
        route={"rule_id": last.route.rule_id, "reason": last.route.reason} if last.route else None,
        next_check_at=last.next_check,
        next_reason=last.next_reason,
        owner=last.owner,
        ended_at=last.end.effective_at if last.end else None,
        end_reason=last.end.reason if last.end else None,
        held=[
            HeldRule(
                held.rule.id,
                held.rule.level,
                [HeldGuard(guard, status.state, status.because) for guard, status in held.by],
            )
            for held in last.blocked
        ],
        letters=(),
        log=sorted(facts, key=lambda fact: (fact.time, fact.event_id)),
        proposals=[
            Proposal(one, now, withdrawn.get((one.escalation_id, one.round)), by_id, rules)
            for one in raised
        ],
    )


def explained_case(facts: Sequence[Fact], *moments: datetime, language: str = "en") -> list[str]:
    """Return the explanation of a case that was decided at each of these moments."""
    return explain_case(decided(facts, *moments), wording(language))


def decided(facts: Sequence[Fact], *moments: datetime) -> CaseView:
    """Return a case that was decided at each of these moments, each time on the facts by then."""
    announced, decisions = Announced(), list[Decision]()
    for moment in moments:
        known = [fact for fact in facts if fact.time <= moment]
        decisions.append(given.decide(known, moment.astimezone(UTC), announced))
        announced = announced.after(decisions[-1])
    return view(facts, decisions, moments[-1])
