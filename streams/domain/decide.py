"""Compute the messages needed to bring what was announced in line with what should stand.

Decisions are level-triggered: they compare the escalations that should stand with those announced,
whatever the change was. Deciding a second time therefore announces nothing new.

Every case that has not ended gets a next check, with a reason and an owner: nobody is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple, assert_never
from uuid import UUID

from schemas.events import AnswererRole
from schemas.outcomes import (
    ORDER_NOT_KNOWN,
    CaseEnded,
    CaseReopened,
    CaseRouted,
    EscalationRaised,
    EscalationWithdrawn,
    Outcome,
    RouteRef,
    Track,
    WithdrawalReason,
)
from schemas.types import unvalidated
from streams.domain import routing
from streams.domain import situation as situations
from streams.domain.case import Case
from streams.domain.clocks import Calendar
from streams.domain.directory.model import Directory
from streams.domain.endings import End
from streams.domain.identity import name_id
from streams.domain.judge import Blocked, Judge, Judgement, Proposal
from streams.domain.policy.rules import Policy, Rule
from streams.domain.routing import Followed, Place, Route, find_route
from streams.domain.situation import Situation

_raised: Final = unvalidated(EscalationRaised)
_withdrawn: Final = unvalidated(EscalationWithdrawn)
_routed: Final = unvalidated(CaseRouted)


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
    raised_at: datetime
    """When this round was announced."""
    reminder: int = 0
    """How often the unanswered proposal was announced again."""

    @classmethod
    def of(cls, raised: EscalationRaised) -> StandingEscalation:
        """Return the standing escalation that a message announces."""
        return cls(
            UUID(raised.escalation_id),
            raised.round,
            raised.rule_id,
            raised.level,
            raised.order_id,
            raised.office_id,
            raised.track,
            raised.policy_digest,
            raised.detected_at,
            raised.reminder,
        )


@dataclass(frozen=True, slots=True)
class Announced:
    """Everything already announced about a case, and its number of open dead letters."""

    route: RouteRef | None = None
    routings: int = 0
    standing: tuple[StandingEscalation, ...] = ()
    rounds: Mapping[UUID, int] = field(default_factory=dict)
    """Last round of each escalation. If it is raised again, it gets the next round."""
    open_dead_letters: int = 0
    endings: int = 0
    """Number of ends and reopenings announced; an odd number means that the case has ended."""
    known_since: datetime | None = None
    """When the pipeline first decided the case; None means at its first event."""

    def after(self, decision: Decision) -> Announced:
        """Return what is announced once the messages of a decision are published."""
        route = self.route
        standing = {s.escalation_id: s for s in self.standing}
        rounds = dict(self.rounds)
        for _, outcome in decision.messages:
            if type(outcome) is CaseRouted:
                route = RouteRef(
                    order_id=outcome.order_id,
                    office_id=outcome.office_id,
                    track=outcome.track,
                    language=outcome.language,
                    interpreter_language=outcome.interpreter_language,
                    rule_id=outcome.rule_id,
                )
            elif type(outcome) is EscalationRaised:
                escalation = StandingEscalation.of(outcome)
                rounds[escalation.escalation_id] = outcome.round
                standing[escalation.escalation_id] = escalation
            elif type(outcome) is EscalationWithdrawn:
                standing.pop(UUID(outcome.escalation_id), None)
            elif type(outcome) is not CaseEnded and type(outcome) is not CaseReopened:
                assert_never(outcome)
        return replace(
            self,
            route=route,
            routings=decision.routings,
            standing=tuple(standing.values()),
            rounds=rounds,
            endings=decision.endings,
        )


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
    """When the case is looked at next; None only for a case that has ended."""
    next_reason: str
    """Why then, as a code; empty for a case that has ended."""
    owner: AnswererRole
    """Role that the case waits for."""
    office_id: str
    """Office that the case belongs to; the triage office while no order is known."""
    track: Track
    end: End | None
    endings: int


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
    Without a known order the case has no route, and only the question for its order can stand.
    """
    situation = situations.derive_situation(
        case,
        policy.terms,
        policy.counting,
        policy.questions,
        calendar,
        lambda order, postcode: routing.contact_language(order, postcode, directory),
        now,
    )
    if situation is None:
        return _without_facts(case, announced, policy, directory, now)
    judge = Judge(situation, policy, calendar, announced.known_since)
    judgement = judge.judgement()
    has_dead_letters = bool(announced.open_dead_letters)
    # By number: hashing and comparing UUIDs runs Python code of theirs.
    proposals: dict[int, tuple[UUID, Proposal]] = {}
    if not has_dead_letters:
        for proposal in judgement.proposals:
            escalation_id = judge.escalation_id(proposal)
            proposals[escalation_id.int] = (escalation_id, proposal)
    order = situation.order
    messages, routings = list[Announcement](), announced.routings
    route: Route | None = None
    office_id, track = directory.triage_office, Track.TRIAGE
    if order is not None and situation.residence is not None:
        lodging, living = situation.stays[-1].lodging, situation.residence
        place = Place(order, lodging, living.postcode, living.since, _followed(situation))
        route = find_route(place, directory, calendar, judge.local_now)
        messages, routings = _announce_route(case, order.order_id, route, announced, directory)
        office_id, track = route.office_id, route.track
    endings = _announce_end(case, situation, announced, messages)
    standing = {s.escalation_id.int: s for s in announced.standing}
    for number in sorted(standing.keys() - proposals.keys()):
        current = standing[number]
        reason, because = _withdrawal_reason(current, announced, judge, judgement)
        messages.append(_withdraw(case, current, reason, because, now))
    reminders: dict[int, int] = {}
    answers_due: list[tuple[datetime, str]] = []
    for number in sorted(standing.keys() & proposals.keys()):
        current, rule = standing[number], proposals[number][1].rule
        answer_by = _answer_by(rule.answer_working_days, policy, calendar, current.raised_at)
        if (current.office_id, current.track) != (office_id, track):
            # Withdraw and raise again so that the new office is notified.
            because = (f"to {office_id} ({track})",)
            messages.append(_withdraw(case, current, WithdrawalReason.REROUTED, because, now))
            reminders[number] = current.reminder
        elif not situation.moment.is_before(answer_by):
            because = (f"unanswered since {current.raised_at.isoformat()}",)
            messages.append(_withdraw(case, current, WithdrawalReason.REMINDED, because, now))
            reminders[number] = current.reminder + 1
        else:
            answers_due.append((answer_by, rule.id))
            continue
        del standing[number]
    for number in sorted(proposals.keys() - standing.keys()):
        escalation_id, proposal = proposals[number]
        name = str(escalation_id)
        answer_by = _answer_by(proposal.rule.answer_working_days, policy, calendar, now)
        answers_due.append((answer_by, proposal.rule.id))
        raised = _raised(
            escalation_id=name,
            round=announced.rounds.get(escalation_id, 0) + 1,
            case_id=case.case_id,
            order_id=order.order_id if order is not None else ORDER_NOT_KNOWN,
            occasion=proposal.cause.occasion,
            level=proposal.rule.level,
            action=proposal.rule.action,
            rule_id=proposal.rule.id,
            policy_version=policy.version,
            policy_digest=policy.digest,
            office_id=office_id,
            track=track,
            due_at=proposal.due_at,
            detected_at=now,
            addressed_to=proposal.rule.owner,
            reminder=reminders.get(number, 0),
            answer_by=answer_by,
            evidence=judge.evidence(proposal),
        )
        messages.append(Announcement(name_id(f"{name}|raised|{raised.round}"), raised))
    rules = [proposal.rule for _, proposal in proposals.values()]
    level = max([rule.level for rule in rules], default=0)
    owner = _owner(rules, judgement)
    next_check, next_reason = _next_check(
        situation, judgement, route, answers_due, has_dead_letters, policy
    )
    return Decision(
        messages=tuple(messages),
        status=_status(has_dead_letters, level, situation, judgement),
        order_id=order.order_id if order is not None else None,
        route=route,
        routings=routings,
        level=level,
        blocked=judgement.blocked,
        next_check=next_check,
        next_reason=next_reason,
        owner=owner,
        office_id=office_id,
        track=track,
        end=situation.end,
        endings=endings,
    )


def _followed(situation: Situation) -> Followed | None:
    """Return the office that held an interview or planned an appointment last."""
    found: Followed | None = None
    if situation.interviews:
        event = situation.interviews[-1].event
        found = Followed(event.office_id, event.held_at, "interview-office")
    for one in situation.appointments.known:
        planned_at = one.fact.time
        known = one.takes_place and planned_at <= situation.now
        if known and (found is None or planned_at > found.since):
            found = Followed(one.office_id, planned_at, "appointment-office")
    return found


def _without_facts(
    case: Case, announced: Announced, policy: Policy, directory: Directory, now: datetime
) -> Decision:
    """Return the decision on a case of which only dead letters are known."""
    withdrawn = [
        _withdraw(case, s, WithdrawalReason.NO_LONGER_HOLDS, ("no order is known",), now)
        for s in announced.standing
    ]
    return Decision(
        messages=tuple(withdrawn),
        status="needs_repair" if announced.open_dead_letters else "awaiting_order",
        order_id=None,
        route=None,
        routings=announced.routings,
        level=0,
        blocked=(),
        next_check=now + timedelta(days=policy.terms.longest_pause_days),
        next_reason="dead_letter",
        owner=AnswererRole.TEAM_LEAD,
        office_id=directory.triage_office,
        track=Track.TRIAGE,
        end=None,
        endings=announced.endings,
    )


def _announce_end(
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


def _answer_by(
    working_days: int | None, policy: Policy, calendar: Calendar, raised_at: datetime
) -> datetime:
    days = working_days or policy.terms.answer_working_days
    return calendar.after_working_days(raised_at, days)


def _owner(rules: Sequence[Rule], judgement: Judgement) -> AnswererRole:
    """Return the owner of the highest proposal, else of the highest blocked rule, else a coach."""
    rules = rules or [settled.rule for settled in judgement.settled]
    rules = rules or [blocked.rule for blocked in judgement.blocked]
    if not rules:
        return AnswererRole.COACH
    return max(rules, key=lambda rule: rule.level).owner


_NO_LATER: Final = "longest_pause"


def _next_check(
    situation: Situation,
    judgement: Judgement,
    route: Route | None,
    answers_due: Sequence[tuple[datetime, str]],
    has_dead_letters: bool,
    policy: Policy,
) -> tuple[datetime | None, str]:
    """Return the earliest future check and its reason.

    It is never later than the longest pause of the policy. A case that has ended has one only if
    its end is to be reopened at a known instant.
    """
    now, agenda = situation.now, judgement.agenda
    if route is not None and route.until is not None and situation.end is None:
        agenda.add(route.until, "route")
    for settled in judgement.settled:
        if settled.settlement.until is not None:
            agenda.add(settled.settlement.until, "answer", settled.rule.id)
    if not has_dead_letters:
        for answer_by, rule_id in answers_due:
            agenda.add(answer_by, "reminder", rule_id)
    if situation.end is None:
        reason = "dead_letter" if has_dead_letters else _NO_LATER
        agenda.add(now + timedelta(days=policy.terms.longest_pause_days), reason)
    at, reason = agenda.first()
    return at, "reopening" if at is not None and situation.end is not None else reason


def _status(has_dead_letters: bool, level: int, situation: Situation, judgement: Judgement) -> str:
    if situation.end is not None:
        return "ended"
    if has_dead_letters:
        return "needs_repair"
    if level:
        return "escalated"
    if situation.order is None:
        return "awaiting_order"
    if situation.handed_over:
        return "handed_over"
    stopped = situation.end_due is not None
    return "on_hold" if judgement.blocked or stopped else "followed"


def _announce_route(
    case: Case,
    order_id: str,
    new_route: Route,
    announced: Announced,
    directory: Directory,
) -> tuple[list[Announcement], int]:
    previous = announced.route
    # A different rule with the same result does not change the route.
    if previous is not None and (
        previous.order_id == order_id
        and previous.office_id == new_route.office_id
        and previous.track == new_route.track
        and previous.language == new_route.language
        and previous.interpreter_language == new_route.interpreter_language
    ):
        return [], announced.routings
    count = announced.routings + 1
    outcome = _routed(
        case_id=case.case_id,
        order_id=order_id,
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
    return [Announcement(name_id(f"{case.case_id}|routed|{count}"), outcome)], count


def _withdraw(
    case: Case,
    standing: StandingEscalation,
    reason: WithdrawalReason,
    because: Sequence[str],
    now: datetime,
) -> Announcement:
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
    if announced.open_dead_letters:
        text = f"{announced.open_dead_letters} record(s) of this case could not be applied"
        return WithdrawalReason.OPEN_DEAD_LETTER, (text,)
    rule = judge.policy.rule(standing.rule_id)
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
    reasons = judge.reasons_against(rule)
    if any(blocked.rule is rule for blocked in judgement.blocked):
        return WithdrawalReason.GUARD, reasons
    for proposal in judgement.proposals:
        if proposal.rule.group == rule.group and proposal.rule.level > rule.level:
            return WithdrawalReason.SUPERSEDED, (f"by {proposal.rule.id}",)
    covering = judgement.covered.get(rule.group)
    if covering is not None and not reasons:
        return WithdrawalReason.SUPERSEDED, (f"by {covering.id}",)
    if standing.policy_digest != judge.policy.digest and reasons:
        return WithdrawalReason.POLICY_CHANGED, reasons
    return WithdrawalReason.NO_LONGER_HOLDS, reasons or ("it stands on another occasion now",)
