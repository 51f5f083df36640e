"""From a case and what stands about it to what must be announced: the difference, and nothing else.

Level-triggered: it does not matter what changed. What should stand is compared with what was
announced, so deciding twice decides nothing new.
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
from streams.domain.routing import Route, route
from streams.domain.situation import Situation

NAMESPACE: Final = uuid5(NAMESPACE_URL, "icam:escalation")
"""Namespace of escalation and message ids; part of the contract with subscribers."""
_PREFIX: Final = NAMESPACE.bytes


@dataclass(frozen=True, slots=True)
class StandingEscalation:
    """An escalation that was announced and not withdrawn."""

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
    """What is known to have been announced about a case."""

    route: RouteRef | None = None
    routings: int = 0
    standing: tuple[StandingEscalation, ...] = ()
    rounds: Mapping[UUID, int] = field(default_factory=dict)
    """Rounds already used, by escalation: one that stands again gets the next."""
    open_dead_letters: int = 0


class Announcement(NamedTuple):
    """An outcome with the id under which it is published, however often."""

    message_id: UUID
    outcome: Outcome


class Decision(NamedTuple):
    """What to announce, and what the projection says afterwards."""

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
    """Return what must be announced about a case at ``now``, given what was.

    An open dead letter means that a fact is missing, so nothing stands until it is resolved. While
    no order is known there is nothing to route and nothing can stand.
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
    held_back = bool(announced.open_dead_letters)
    wanted = {} if held_back else {identify(case, p): p for p in judgement.wanted}
    where = route(situation.order, directory, calendar, judge.local)
    messages, routings = _routed(case, situation, where, announced, directory)
    standing = {s.escalation_id: s for s in announced.standing}
    for escalation_id in sorted(standing.keys() - wanted.keys()):
        reason, because = _withdrawal_reason(
            standing[escalation_id], announced, situation, judge, judgement
        )
        messages.append(_withdraw(case, standing[escalation_id], reason, because, now))
    for escalation_id in sorted(standing.keys() & wanted.keys()):
        # What one office was asked, another does not know: it is asked anew.
        held = standing[escalation_id]
        if (held.office_id, held.track) != (where.office_id, where.track):
            because = (f"to {where.office_id} ({where.track})",)
            messages.append(_withdraw(case, held, WithdrawalReason.REROUTED, because, now))
            del standing[escalation_id]
    for escalation_id in sorted(wanted.keys() - standing.keys()):
        proposal = wanted[escalation_id]
        used = announced.rounds.get(escalation_id, 0)
        messages.append(
            _raise(case, situation, escalation_id, used + 1, proposal, judge, where, now)
        )
    level = max([proposal.rule.level for proposal in wanted.values()], default=0)
    return Decision(
        messages=tuple(messages),
        status=_status(held_back, level, judgement),
        order_id=situation.order.order_id,
        route=where,
        routings=routings,
        level=level,
        blocked=judgement.blocked,
        next_check=_next_check(judgement, where, now),
    )


def identify(case: Case, proposal: Proposal) -> UUID:
    """Return the escalation's id: the same case, rule and occasion always give the same one."""
    return _named(f"{case.case_id}|{proposal.rule.id}|{proposal.occasion}")


def _named(name: str) -> UUID:
    """Return ``uuid5(NAMESPACE, name)``, at half its cost."""
    digest = sha1(_PREFIX + name.encode(), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)


def _next_check(judgement: Judgement, where: Route, now: datetime) -> datetime | None:
    if where.until is None:
        return judgement.next_check
    return min(
        (at for at in (judgement.next_check, where.until) if at is not None and at > now),
        default=None,
    )


def _status(held_back: bool, level: int, judgement: Judgement) -> str:
    if held_back:
        return "needs_repair"
    if level:
        return "escalated"
    return "on_hold" if judgement.blocked else "followed"


def _routed(
    case: Case,
    situation: Situation,
    where: Route,
    announced: Announced,
    directory: Directory,
) -> tuple[list[Announcement], int]:
    previous = announced.route
    # Another rule that leads to the same office tells nobody anything new.
    if previous is not None and (
        previous.order_id == situation.order.order_id
        and previous.office_id == where.office_id
        and previous.track == where.track
        and previous.language == where.language
        and previous.interpreter_language == where.interpreter_language
    ):
        return [], announced.routings
    count = announced.routings + 1
    outcome = CaseRouted(
        case_id=case.case_id,
        order_id=situation.order.order_id,
        office_id=where.office_id,
        track=where.track,
        language=where.language,
        interpreter_language=where.interpreter_language,
        rule_id=where.rule_id,
        reason=where.reason,
        as_of=where.as_of,
        directory_version=directory.version,
        directory_digest=directory.digest,
        previous=previous,
    )
    return [Announcement(_named(f"{case.case_id}|routed|{count}"), outcome)], count


def _raise(
    case: Case,
    situation: Situation,
    escalation_id: UUID,
    number: int,
    proposal: Proposal,
    judge: Judge,
    where: Route,
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
        office_id=where.office_id,
        track=where.track,
        due_at=proposal.due_at,
        detected_at=now,
        evidence=judge.evidence(proposal),
    )
    return Announcement(_named(f"{name}|raised|{number}"), outcome)


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
    return Announcement(_named(f"{escalation_id}|withdrawn|{standing.round}"), outcome)


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
    against = judge.against(rule)
    if any(blocked.rule is rule for blocked in judgement.blocked):
        return WithdrawalReason.GUARD, against
    for proposal in judgement.wanted:
        if proposal.rule.group == rule.group and proposal.rule.level > rule.level:
            return WithdrawalReason.SUPERSEDED, (f"by {proposal.rule.id}",)
    if standing.policy_digest != judge.policy.digest and against:
        return WithdrawalReason.POLICY_CHANGED, against
    return WithdrawalReason.NO_LONGER_HOLDS, against or ("it stands on another occasion now",)
