"""Make the messages that announce a difference, each with an id that stays the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from schemas.events import EVENT_TYPES, AnswererRole, Event
from schemas.instants import rfc3339
from schemas.outcomes import (
    ORDER_NOT_KNOWN,
    CaseEnded,
    CaseReopened,
    Change,
    EscalationRaised,
    EscalationWithdrawn,
    Outcome,
    WithdrawalReason,
)
from schemas.types import unvalidated
from streams.domain.case import Case, Fact
from streams.domain.change import ending_trial
from streams.domain.counterfactual import content_of, in_codes
from streams.domain.decision import Announced, Announcement, StandingEscalation
from streams.domain.difference import Difference
from streams.domain.identity import name_id
from streams.domain.judge import Judge, Judgement
from streams.domain.judges import judge_facts
from streams.domain.situation import Situation
from streams.domain.stages import facts_of
from streams.domain.tables import Tables

_raised: Final = unvalidated(EscalationRaised)
_withdrawn: Final = unvalidated(EscalationWithdrawn)
_change: Final = unvalidated(Change)
_TYPE_OF: Final[Mapping[type[Event], str]] = {model: name for name, model in EVENT_TYPES.items()}


def announce_withdrawals(
    case: Case, found: Difference, announced: Announced, judge: Judge, judgement: Judgement
) -> list[Announcement]:
    """Withdraw what should stand no more, and what is to be raised again; each with its reason."""
    messages: list[Announcement] = []
    now = judge.situation.now
    for current in found.ended:
        reason, because = _withdrawal_reason(current, announced, judge, judgement)
        messages.append(withdraw(case, current, reason, because, now))
    for current, reason in found.renewed:
        if reason is WithdrawalReason.REROUTED:
            because = (f"to {found.office_id} ({found.track})",)
        else:
            because = (f"unanswered since {rfc3339(current.raised_at)}",)
        messages.append(withdraw(case, current, reason, because, now))
    return messages


def announce_raises(
    case: Case,
    found: Difference,
    judge: Judge,
    judgement: Judgement,
    announced: Announced,
    tables: Tables,
) -> list[Announcement]:
    """Raise what should stand, each with its evidence and the one fact that would end it."""
    situation = judge.situation
    order = situation.order
    messages: list[Announcement] = []

    def judge_having(fact: Fact) -> Judge:
        facts = facts_of(case, situation.now).having(fact)
        return judge_facts(facts, announced, tables, None)

    for escalation_id, nth, proposal, reminder, due in found.raised:
        name, policy = str(escalation_id), proposal.judge.policy
        trial = ending_trial(
            case,
            judge,
            judgement,
            proposal,
            escalation_id,
            nth,
            found.office_id,
            judge_having,
        )
        change: Change | None = None
        if trial is not None:
            model, content = content_of(trial, judge, found.office_id)
            change = _change(event_type=_TYPE_OF[model], data=in_codes(model, content))
        raised = _raised(
            escalation_id=name,
            round=nth,
            case_id=case.case_id,
            order_id=order.order_id if order is not None else ORDER_NOT_KNOWN,
            occasion=proposal.cause.occasion,
            level=proposal.rule.level,
            action=proposal.rule.action,
            rule_id=proposal.rule.id,
            policy_version=policy.version,
            policy_digest=policy.digest,
            office_id=found.office_id,
            track=found.track,
            due_at=proposal.due_at,
            detected_at=situation.now,
            addressed_to=proposal.rule.owner,
            reminder=reminder,
            answer_by=due,
            evidence=proposal.judge.evidence(proposal, change),
        )
        messages.append(Announcement(name_id(f"{name}|raised|{nth}"), raised))
    return messages


def hold_back(
    case_id: str, standing: Iterable[StandingEscalation], now: datetime
) -> tuple[Announcement, ...]:
    """Return the withdrawals for a case of which an event can't be read: a fact is unknown."""
    because = ("a stored event of this case can't be read",)
    case = Case(case_id)
    return tuple(
        withdraw(case, one, WithdrawalReason.OPEN_DEAD_LETTER, because, now)
        for one in sorted(standing, key=lambda one: one.escalation_id.int)
    )


def announce_end(
    case: Case, situation: Situation, announced: Announced, messages: list[Announcement]
) -> int:
    """Add the end or the reopening if the case changed; return the number of both so far."""
    count, end = announced.endings, situation.end
    if (end is not None) == (count % 2 == 1):
        return count
    order = situation.order
    order_id = order.order_id if order is not None else None
    outcome: Outcome
    if end is not None:
        outcome = CaseEnded(
            case_id=case.case_id,
            order_id=order_id,
            reason=end.reason,
            effective_at=end.effective_at,
            event_id=str(end.fact.event_id),
            detected_at=situation.now,
        )
    else:
        outcome = CaseReopened(case_id=case.case_id, order_id=order_id, detected_at=situation.now)
    messages.append(Announcement(name_id(f"{case.case_id}|ended|{count + 1}"), outcome))
    return count + 1


def withdraw(
    case: Case,
    standing: StandingEscalation,
    reason: WithdrawalReason,
    because: Sequence[str],
    now: datetime,
) -> Announcement:
    """Withdraw one round of an escalation."""
    escalation_id = str(standing.escalation_id)
    outcome = _withdrawn(
        escalation_id=escalation_id,
        round=standing.round,
        case_id=case.case_id,
        rule_id=standing.rule_id,
        level=standing.level,
        office_id=standing.office_id,
        reason=reason,
        because=tuple(because),
        withdrawn_at=now,
    )
    return Announcement(name_id(f"{escalation_id}|withdrawn|{standing.round}"), outcome)


def _withdrawal_reason(
    standing: StandingEscalation, announced: Announced, judge: Judge, judgement: Judgement
) -> tuple[WithdrawalReason, tuple[str, ...]]:
    situation = judge.situation
    if situation.end is not None:
        return WithdrawalReason.ENDED, (str(situation.end.reason),)
    letters = announced.open_dead_letters
    if letters is not None and letters.guards is None:
        text = f"{letters.number} record(s) of this case could not be applied"
        return WithdrawalReason.OPEN_DEAD_LETTER, (text,)
    own = _proposed_by(standing, judge)
    rule = own.policy.rule(standing.rule_id)
    owner = rule.owner if rule is not None else AnswererRole.COACH
    settlement = situation.settlement(owner, standing.escalation_id)
    if settlement is not None:
        event = settlement.event
        return WithdrawalReason.ANSWERED, (f"{event.answer}: {event.reason}",)
    order = situation.order
    if order is not None and standing.order_id != order.order_id:
        return WithdrawalReason.ORDER_SUPERSEDED, (f"by {order.order_id}",)
    if rule is None:
        return WithdrawalReason.POLICY_CHANGED, (f"no such rule in {judge.policy.version}",)
    reasons = own.reasons_against(rule)
    for blocked in judgement.blocked:
        if blocked.rule is rule:
            if any(guard in judge.unknown for guard, _ in blocked.by):
                return WithdrawalReason.OPEN_DEAD_LETTER, reasons
            return WithdrawalReason.GUARD, reasons
    for proposal in judgement.proposals:
        if proposal.rule.group == rule.group and proposal.rule.level > rule.level:
            return WithdrawalReason.SUPERSEDED, (f"by {proposal.rule.id}",)
    covering = judgement.covered.get(rule.group)
    if covering is not None and not reasons:
        return WithdrawalReason.SUPERSEDED, (f"by {covering.id}",)
    if own is not judge and not reasons:
        because = f"not complete before {judge.policy.version} applied"
        return WithdrawalReason.POLICY_CHANGED, (because,)
    if standing.policy_digest != own.policy.digest and reasons:
        return WithdrawalReason.POLICY_CHANGED, reasons
    return WithdrawalReason.NO_LONGER_HOLDS, reasons or ("it stands on another occasion now",)


def _proposed_by(standing: StandingEscalation, judge: Judge) -> Judge:
    """Return the judge by whose version it was proposed; the newest if none has that version."""
    found: Judge | None = judge
    while found is not None:
        if found.policy.digest == standing.policy_digest:
            return found
        found = found.earlier
    return judge
