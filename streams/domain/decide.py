"""Compute the messages needed to bring what was announced in line with what should stand.

Decisions are level-triggered: they compare the escalations that should stand with those announced,
whatever the change was. Deciding a second time therefore announces nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha1
from typing import Final, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from schemas.outcomes import (
    CaseRouted,
    EscalationRaised,
    EscalationWithdrawn,
    Outcome,
    RouteRef,
    WithdrawalReason,
)
from streams.domain import situation as situations
from streams.domain.case import Case
from streams.domain.clocks import Calendar
from streams.domain.directory.model import Directory
from streams.domain.judge import Blocked, Judge, Judgement, Proposal
from streams.domain.policy.rules import Policy
from streams.domain.routing import Route, find_route
from streams.domain.situation import Situation

NAMESPACE: Final = uuid5(NAMESPACE_URL, "icam:escalation")
"""Namespace of escalation and message ids. It is part of the contract with subscribers."""
_PREFIX: Final = NAMESPACE.bytes


@dataclass(frozen=True, slots=True)
class StandingEscalation:
    """An escalation that was announced and has not been withdrawn."""

    escalation_id: UUID
    round: int
    rule_id: str
    level: int
    order_id: str
    office_id: str
    track: str
    policy_digest: str


@dataclass(frozen=True, slots=True)
class Announced:
    """Everything already announced about a case, and its number of open dead letters."""

    route: RouteRef | None = None
    routings: int = 0
    standing: tuple[StandingEscalation, ...] = ()
    rounds: Mapping[UUID, int] = field(default_factory=dict)
    """Last round of each escalation. If it is raised again, it gets the next round."""
    open_dead_letters: int = 0


class Announcement(NamedTuple):
    """An outcome and its message id, which stays the same when the outcome is published again."""

    message_id: UUID
    outcome: Outcome


class Decision(NamedTuple):
    """The messages to announce, and the new content of the case's projection."""

    messages: tuple[Announcement, ...]
    status: str
    order_id: str | None
    route: Route | None
    routings: int
    level: int
    blocked: tuple[Blocked, ...]
    next_check: datetime | None


def decide(
    case: Case,
    announced: Announced,
    policy: Policy,
    directory: Directory,
    calendar: Calendar,
    now: datetime,
) -> Decision:
    """Return the decision on a case at ``now``, given what was already announced.

    An open dead letter means that a fact is missing, so no escalation stands until it is resolved.
    Without a known order the case has no route and no escalation.
    """
    situation = situations.derive_situation(
        case, interview_restarts_count=policy.interview_restarts_count
    )
    if situation is None:
        withdrawn = [
            _withdraw(case, s, WithdrawalReason.NO_LONGER_HOLDS, ("no order is known",), now)
            for s in announced.standing
        ]
        status = "needs_repair" if announced.open_dead_letters else "awaiting_order"
        return Decision(tuple(withdrawn), status, None, None, announced.routings, 0, (), None)
    judge = Judge(situation, policy, calendar, now)
    judgement = judge.judgement()
    has_dead_letters = bool(announced.open_dead_letters)
    proposals = (
        {} if has_dead_letters else {escalation_id_for(case, p): p for p in judgement.proposals}
    )
    new_route = find_route(situation.order, directory, calendar, judge.local_now)
    messages, routings = _announce_route(case, situation, new_route, announced, directory)
    standing = {s.escalation_id: s for s in announced.standing}
    for escalation_id in sorted(standing.keys() - proposals.keys()):
        reason, because = _withdrawal_reason(
            standing[escalation_id], announced, situation, judge, judgement
        )
        messages.append(_withdraw(case, standing[escalation_id], reason, because, now))
    for escalation_id in sorted(standing.keys() & proposals.keys()):
        # After a reroute, withdraw and raise again so that the new office is notified.
        current = standing[escalation_id]
        if (current.office_id, current.track) != (new_route.office_id, new_route.track):
            because = (f"to {new_route.office_id} ({new_route.track})",)
            messages.append(_withdraw(case, current, WithdrawalReason.REROUTED, because, now))
            del standing[escalation_id]
    for escalation_id in sorted(proposals.keys() - standing.keys()):
        proposal = proposals[escalation_id]
        last_round = announced.rounds.get(escalation_id, 0)
        messages.append(
            _raise(case, situation, escalation_id, last_round + 1, proposal, judge, new_route, now)
        )
    level = max([proposal.rule.level for proposal in proposals.values()], default=0)
    return Decision(
        messages=tuple(messages),
        status=_status(has_dead_letters, level, judgement),
        order_id=situation.order.order_id,
        route=new_route,
        routings=routings,
        level=level,
        blocked=judgement.blocked,
        next_check=_next_check(judgement, new_route, now),
    )


def escalation_id_for(case: Case, proposal: Proposal) -> UUID:
    """Return the escalation id: the same case, rule and occasion always give the same id."""
    return _name_uuid(f"{case.case_id}|{proposal.rule.id}|{proposal.occasion}")


def _name_uuid(name: str) -> UUID:
    """Return ``uuid5(NAMESPACE, name)``, computed twice as fast."""
    digest = sha1(_PREFIX + name.encode(), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)


def _next_check(judgement: Judgement, new_route: Route, now: datetime) -> datetime | None:
    if new_route.until is None:
        return judgement.next_check
    return min(
        (at for at in (judgement.next_check, new_route.until) if at is not None and at > now),
        default=None,
    )


def _status(has_dead_letters: bool, level: int, judgement: Judgement) -> str:
    if has_dead_letters:
        return "needs_repair"
    if level:
        return "escalated"
    return "on_hold" if judgement.blocked else "followed"


def _announce_route(
    case: Case,
    situation: Situation,
    new_route: Route,
    announced: Announced,
    directory: Directory,
) -> tuple[list[Announcement], int]:
    previous = announced.route
    # A different rule with the same result does not change the route.
    if previous is not None and (
        previous.order_id == situation.order.order_id
        and previous.office_id == new_route.office_id
        and previous.track == new_route.track
        and previous.language == new_route.language
        and previous.interpreter_language == new_route.interpreter_language
    ):
        return [], announced.routings
    count = announced.routings + 1
    outcome = CaseRouted(
        case_id=case.case_id,
        order_id=situation.order.order_id,
        office_id=new_route.office_id,
        track=new_route.track,
        language=new_route.language,
        interpreter_language=new_route.interpreter_language,
        rule_id=new_route.rule_id,
        reason=new_route.reason,
        as_of=new_route.as_of,
        directory_version=directory.version,
        directory_digest=directory.digest,
        previous=previous,
    )
    return [Announcement(_name_uuid(f"{case.case_id}|routed|{count}"), outcome)], count


def _raise(
    case: Case,
    situation: Situation,
    escalation_id: UUID,
    number: int,
    proposal: Proposal,
    judge: Judge,
    new_route: Route,
    now: datetime,
) -> Announcement:
    rule, name = proposal.rule, str(escalation_id)
    outcome = EscalationRaised(
        escalation_id=name,
        round=number,
        case_id=case.case_id,
        order_id=situation.order.order_id,
        occasion=proposal.occasion,
        level=rule.level,
        action=rule.action,
        rule_id=rule.id,
        policy_version=judge.policy.version,
        policy_digest=judge.policy.digest,
        office_id=new_route.office_id,
        track=new_route.track,
        due_at=proposal.due_at,
        detected_at=now,
        evidence=judge.evidence(proposal),
    )
    return Announcement(_name_uuid(f"{name}|raised|{number}"), outcome)


def _withdraw(
    case: Case,
    standing: StandingEscalation,
    reason: WithdrawalReason,
    because: Sequence[str],
    now: datetime,
) -> Announcement:
    escalation_id = str(standing.escalation_id)
    outcome = EscalationWithdrawn(
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
    return Announcement(_name_uuid(f"{escalation_id}|withdrawn|{standing.round}"), outcome)


def _withdrawal_reason(
    standing: StandingEscalation,
    announced: Announced,
    situation: Situation,
    judge: Judge,
    judgement: Judgement,
) -> tuple[WithdrawalReason, tuple[str, ...]]:
    if announced.open_dead_letters:
        text = f"{announced.open_dead_letters} record(s) of this case could not be applied"
        return WithdrawalReason.OPEN_DEAD_LETTER, (text,)
    if standing.order_id != situation.order.order_id:
        return WithdrawalReason.ORDER_SUPERSEDED, (f"by {situation.order.order_id}",)
    rule = judge.policy.rule(standing.rule_id)
    if rule is None:
        return WithdrawalReason.POLICY_CHANGED, (f"no such rule in {judge.policy.version}",)
    reasons = judge.reasons_against(rule)
    if any(blocked.rule is rule for blocked in judgement.blocked):
        return WithdrawalReason.GUARD, reasons
    for proposal in judgement.proposals:
        if proposal.rule.group == rule.group and proposal.rule.level > rule.level:
            return WithdrawalReason.SUPERSEDED, (f"by {proposal.rule.id}",)
    if standing.policy_digest != judge.policy.digest and reasons:
        return WithdrawalReason.POLICY_CHANGED, reasons
    return WithdrawalReason.NO_LONGER_HOLDS, reasons or ("it stands on another occasion now",)
