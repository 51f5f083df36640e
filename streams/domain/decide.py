"""Compute the messages needed to bring what was announced in line with what should stand.

Decisions are level-triggered: they compare the escalations that should stand with those announced,
whatever the change was. Deciding a second time therefore announces nothing new.

Every case that has not ended gets a next check, with a reason and an owner: nobody is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, assert_never, final
from uuid import UUID

from schemas.canary import is_canary
from schemas.events import EVENT_TYPES, AnswererRole, Event
from schemas.outcomes import (
    ORDER_NOT_KNOWN,
    CaseEnded,
    CaseReopened,
    CaseRouted,
    Change,
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
from streams.domain.case import Case, Fact
from streams.domain.change import ending_trial
from streams.domain.clocks import Agenda, Calendar, duration
from streams.domain.counterfactual import content_of, in_codes
from streams.domain.directory.model import Directory
from streams.domain.endings import End
from streams.domain.identity import name_id
from streams.domain.judge import Blocked, Judge, Judgement, Proposal
from streams.domain.letters import OpenLetters
from streams.domain.loads import NO_CHOICE, Choice, Loads, choice_of
from streams.domain.policy.rules import Policy, Rule
from streams.domain.policy.versions import Move
from streams.domain.routing import Followed, Place, Route, find_route
from streams.domain.situation import Situation
from streams.domain.stages import STAGES, CaseFacts, Stages, facts_of
from streams.domain.tables import Tables

_raised: Final = unvalidated(EscalationRaised)
_withdrawn: Final = unvalidated(EscalationWithdrawn)
_routed: Final = unvalidated(CaseRouted)
_change: Final = unvalidated(Change)
_TYPE_OF: Final[Mapping[type[Event], str]] = {model: name for name, model in EVENT_TYPES.items()}


class StandingEscalation(NamedTuple):
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


_NO_ROUNDS: Final[Mapping[UUID, int]] = {}


class Announced(NamedTuple):
    """Everything already announced about a case, and its open dead letters."""

    route: RouteRef | None = None
    routings: int = 0
    standing: tuple[StandingEscalation, ...] = ()
    rounds: Mapping[UUID, int] = _NO_ROUNDS
    """Last round of each escalation. If it is raised again, it gets the next round."""
    open_dead_letters: OpenLetters | None = None
    endings: int = 0
    """Number of ends and reopenings announced; an odd number means that the case has ended."""
    known_since: datetime | None = None
    """When the pipeline first decided the case; None means at its first event."""
    moves: tuple[Move, ...] = ()
    """Versions of the policy that officials moved the case to."""
    choice: Choice = NO_CHOICE
    """What the route was chosen by."""

    def with_standing(
        self, standing: tuple[StandingEscalation, ...], rounds: Mapping[UUID, int]
    ) -> Announced:
        """Return the same with other escalations."""
        # By position: a replacement by name costs four times as much.
        return Announced(
            self.route,
            self.routings,
            standing,
            rounds,
            self.open_dead_letters,
            self.endings,
            self.known_since,
            self.moves,
            self.choice,
        )

    def after(self, decision: Decision) -> Announced:
        """Return what is announced once the messages of a decision are published."""
        route, choice = self.route, self.choice
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
                choice = Choice(outcome.candidates, outcome.office_full, outcome.skills_missing)
            elif type(outcome) is EscalationRaised:
                escalation = StandingEscalation.of(outcome)
                rounds[escalation.escalation_id] = outcome.round
                standing[escalation.escalation_id] = escalation
            elif type(outcome) is EscalationWithdrawn:
                standing.pop(UUID(outcome.escalation_id), None)
            elif type(outcome) is not CaseEnded and type(outcome) is not CaseReopened:
                assert_never(outcome)
        return self._replace(
            route=route,
            routings=decision.routings,
            standing=tuple(standing.values()),
            rounds=rounds,
            endings=decision.endings,
            choice=choice,
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
    policy: Policy
    """Version that applies to the case now."""
    directory: Directory
    """Version in force now."""
    choice: Choice = NO_CHOICE
    """What the route was chosen by when it was announced."""


def decide(
    case: Case,
    announced: Announced,
    tables: Tables,
    now: datetime,
    loads: Loads | None = None,
) -> Decision:
    """Return the decision on a case at ``now``, given what was already announced.

    An open dead letter means that a fact is missing. If it may be any fact, no escalation stands
    until the letter is resolved. If it can only be one of some circumstances, these are unknown:
    what stands are the escalations whose rules waive all of them.
    Without a known order the case has no route, and only the question for its order can stand.

    ``loads`` matters only if the case is routed anew: it chooses between equally proper offices,
    and flags the route. Without it, as when a projection is rebuilt, the case stays where it is.
    """
    judge = judge_of(case, announced, tables, now)
    return decide_judged(case, judge, announced, tables, now, loads)


def decide_judged(
    case: Case,
    judge: Judge | None,
    announced: Announced,
    tables: Tables,
    now: datetime,
    loads: Loads | None = None,
) -> Decision:
    """Return the same decision with what ``judge_of`` returned for these arguments."""
    directory, calendar = tables.directory_at(now), tables.calendar
    if judge is None:
        policy = tables.policies.on(calendar.local_date(now))
        return _without_facts(case, announced, directory, policy, calendar, now)
    situation, letters = judge.situation, announced.open_dead_letters
    judgement = judge.judgement()
    found = difference(case, judge, judgement, announced, tables, loads)
    order, choice = situation.order, announced.choice
    messages: list[Announcement] = []  # list[Announcement]() would build its type each time
    if found.moved and found.route is not None and order is not None:
        choice = _choice(found.route, loads)
        messages.append(
            _announce_route(case, order.order_id, found.route, announced, directory, choice)
        )
    endings = _announce_end(case, situation, announced, messages)
    messages += _withdrawals(case, found, announced, judge, judgement)
    messages += _raises(case, found, judge, judgement, announced, tables)
    rules = [proposal.rule for _, proposal in found.proposals]
    level = max([rule.level for rule in rules], default=0)
    check_at = letters.check_at(now, calendar) if letters is not None else None
    next_check, next_reason = _next_check(
        situation, judgement.agenda, found.answers_due, check_at, judge.policy
    )
    return Decision(  # by position: by name it costs twice as much
        tuple(messages),
        _status(letters, level, situation, judgement),
        order.order_id if order is not None else None,
        found.route,
        announced.routings + int(found.moved),
        level,
        judgement.blocked,
        next_check,
        next_reason,
        _owner(rules, judgement, letters),
        found.office_id,
        found.track,
        situation.end,
        endings,
        judge.policy,
        directory,
        choice,
    )


class Raise(NamedTuple):
    """A round of an escalation that is to be raised."""

    escalation_id: UUID
    round: int
    proposal: Proposal
    reminder: int
    answer_by: datetime


@final
class Difference:
    """What should stand, compared with what was announced, without the messages about it."""

    route: Final[Route | None]
    moved: Final[bool]
    """Whether the route has to be announced."""
    office_id: Final[str]
    track: Final[Track]
    proposals: Final[Sequence[tuple[UUID, Proposal]]]
    """All that should stand."""
    ended: Final[Sequence[StandingEscalation]]
    """Those announced that should stand no more."""
    renewed: Final[Sequence[tuple[StandingEscalation, WithdrawalReason]]]
    """Those that are withdrawn to be raised again: for another office, or as a reminder."""
    raised: Final[Sequence[Raise]]
    answers_due: Final[Sequence[tuple[datetime, str]]]
    """By when each of the proposals is to be answered, with its rule."""

    def __init__(
        self,
        route: Route | None,
        moved: bool,
        office_id: str,
        track: Track,
        proposals: Sequence[tuple[UUID, Proposal]],
        ended: Sequence[StandingEscalation],
        renewed: Sequence[tuple[StandingEscalation, WithdrawalReason]],
        raised: Sequence[Raise],
        answers_due: Sequence[tuple[datetime, str]],
    ) -> None:
        self.route = route
        self.moved = moved
        self.office_id = office_id
        self.track = track
        self.proposals = proposals
        self.ended = ended
        self.renewed = renewed
        self.raised = raised
        self.answers_due = answers_due


def difference(
    case: Case,
    judge: Judge,
    judgement: Judgement,
    announced: Announced,
    tables: Tables,
    loads: Loads | None = None,
) -> Difference:
    """Compare what a judgement says should stand with what was announced.

    Adds to the agenda of the judgement when time alone changes the answer, apart from reminders.
    """
    situation, letters, calendar = judge.situation, announced.open_dead_letters, tables.calendar
    now, directory = situation.now, tables.directory_at(situation.now)
    # By number: hashing and comparing UUIDs runs Python code of theirs.
    proposals: dict[int, tuple[UUID, Proposal]] = {}
    all_held_back = letters is not None and letters.guards is None
    # About a canary case nothing is ever proposed, whatever its events say.
    if judgement.proposals and not all_held_back and not is_canary(case.case_id):
        for proposal in judgement.proposals:
            escalation_id = judge.escalation_id(proposal)
            proposals[escalation_id.int] = (escalation_id, proposal)
    order = situation.order
    route: Route | None = None
    moved = False
    office_id, track = directory.triage_office, Track.TRIAGE
    if order is not None and situation.residence is not None:
        lodging, living = situation.stays[-1].lodging, situation.residence
        place = Place(order, lodging, living.postcode, living.since, _followed(situation))
        last = announced.route
        route = find_route(place, directory, calendar, judge.local_now, last, loads)
        moved = _differs(route, order.order_id, last)
        office_id, track = route.office_id, route.track
    standing = {s.escalation_id.int: s for s in announced.standing}
    ended = [standing[number] for number in sorted(standing) if number not in proposals]
    renewed: list[tuple[StandingEscalation, WithdrawalReason]] = []
    reminders: dict[int, int] = {}
    answers_due: list[tuple[datetime, str]] = []
    for number in sorted(standing):
        if number not in proposals:
            continue
        current, proposal = standing[number], proposals[number][1]
        due = answer_by(proposal, calendar, current.raised_at)
        if (current.office_id, current.track) != (office_id, track):
            # Withdraw and raise again so that the new office is notified.
            renewed.append((current, WithdrawalReason.REROUTED))
            reminders[number] = current.reminder
        elif not situation.moment.is_before(due):
            renewed.append((current, WithdrawalReason.REMINDED))
            reminders[number] = current.reminder + 1
        else:
            answers_due.append((due, proposal.rule.id))
            continue
        del standing[number]
    raised: list[Raise] = []
    for number in sorted(proposals):
        if number in standing:
            continue
        escalation_id, proposal = proposals[number]
        due = answer_by(proposal, calendar, now)
        answers_due.append((due, proposal.rule.id))
        nth, reminder = announced.rounds.get(escalation_id, 0) + 1, reminders.get(number, 0)
        raised.append(Raise(escalation_id, nth, proposal, reminder, due))
    _add_changes(judge, judgement, route, announced, tables)
    return Difference(
        route,
        moved,
        office_id,
        track,
        list(proposals.values()),
        ended,
        renewed,
        raised,
        answers_due,
    )


def _withdrawals(
    case: Case, found: Difference, announced: Announced, judge: Judge, judgement: Judgement
) -> list[Announcement]:
    messages: list[Announcement] = []
    now = judge.situation.now
    for current in found.ended:
        reason, because = _withdrawal_reason(current, announced, judge, judgement)
        messages.append(_withdraw(case, current, reason, because, now))
    for current, reason in found.renewed:
        if reason is WithdrawalReason.REROUTED:
            because = (f"to {found.office_id} ({found.track})",)
        else:
            because = (f"unanswered since {current.raised_at.isoformat()}",)
        messages.append(_withdraw(case, current, reason, because, now))
    return messages


def _raises(
    case: Case,
    found: Difference,
    judge: Judge,
    judgement: Judgement,
    announced: Announced,
    tables: Tables,
) -> list[Announcement]:
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


def judge_of(
    case: Case,
    announced: Announced,
    tables: Tables,
    now: datetime,
) -> Judge | None:
    """Return what judges a case at ``now``; None if no fact of it is known.

    Raises:
        PolicyLackingError: the case was moved to a policy version that is not loaded.
    """
    if not case.facts:
        return None
    return judge_facts(facts_of(case, now), announced, tables, None)


def judge_facts(
    facts: CaseFacts,
    announced: Announced,
    tables: Tables,
    stages: Callable[[Policy], Stages] | None,
) -> Judge:
    """Return what judges facts at their instant.

    ``stages`` gives the stages to derive a situation by under a version of the policy.

    Raises:
        PolicyLackingError: the case was moved to a policy version that is not loaded.
    """
    now = facts.now
    policies, calendar, directory = tables.policies, tables.calendar, tables.directory_at(now)
    newest = policies.newest
    under_newest = _situation(facts, newest, directory, calendar, stages)
    letters = announced.open_dead_letters
    unknown = (letters.guards if letters is not None else None) or frozenset()
    if len(policies.versions) == 1:
        return Judge(under_newest, newest, calendar, announced.known_since, unknown)
    began = _began(under_newest)
    applied, _ = policies.applied(began, calendar, announced.moves, now)
    judge: Judge | None = None
    for policy, since in applied:
        situation = under_newest
        if policy is not newest:
            situation = _situation(facts, policy, directory, calendar, stages)
        judge = Judge(situation, policy, calendar, announced.known_since, unknown, since, judge)
    assert judge is not None  # noqa: S101, a case always has the version that it began with
    return judge


def _situation(
    facts: CaseFacts,
    policy: Policy,
    directory: Directory,
    calendar: Calendar,
    stages: Callable[[Policy], Stages] | None,
) -> Situation:
    return situations.situation_of(
        facts,
        policy.terms,
        policy.counting,
        policy.questions,
        calendar,
        lambda order, postcode: routing.contact_language(order, postcode, directory),
        STAGES if stages is None else stages(policy),
    )


def _began(situation: Situation) -> datetime:
    """Return when the order was notified, or when the case began if no order is known."""
    order = situation.order
    return order.notified_at if order is not None else situation.first_event


def _table_changes(
    announced: Announced, judge: Judge, tables: Tables
) -> list[tuple[datetime, str]]:
    """Return when another version of the policy or of the directory comes, each with its reason."""
    policies, directories, calendar = tables.policies, tables.directories, tables.calendar
    now = judge.situation.now
    changes: list[tuple[datetime, str]] = []
    if len(policies.versions) > 1:
        _, at = policies.applied(_began(judge.situation), calendar, announced.moves, now)
        if at is not None:
            changes.append((at, "policy"))
    if len(directories.versions) > 1:
        days = directories.first_days_after(calendar.local_date(now))
        changes += [(calendar.start_of(day), "route") for day in days[:1]]
    return changes


def _followed(situation: Situation) -> Followed | None:
    """Return the office that held an interview or planned an appointment last."""
    found: Followed | None = None
    if situation.interviews:
        event = situation.interviews[-1].event
        found = Followed(event.office_id, event.held_at, "interview-office")
    for one in situation.appointments.known:
        planned_at = one.fact.time
        newer = found is None or planned_at > found.since
        if newer and one.takes_place and planned_at <= situation.now:
            found = Followed(one.office_id, planned_at, "appointment-office")
    return found


def _without_facts(
    case: Case,
    announced: Announced,
    directory: Directory,
    policy: Policy,
    calendar: Calendar,
    now: datetime,
) -> Decision:
    """Return the decision on a case of which only dead letters are known."""
    letters = announced.open_dead_letters
    latest = now + duration(policy.terms.longest_pause_days)
    withdrawn = [
        _withdraw(case, s, WithdrawalReason.NO_LONGER_HOLDS, ("no order is known",), now)
        for s in announced.standing
    ]
    return Decision(
        messages=tuple(withdrawn),
        status="needs_repair" if letters is not None else "awaiting_order",
        order_id=None,
        route=None,
        routings=announced.routings,
        level=0,
        blocked=(),
        next_check=letters.check_at(now, calendar) if letters is not None else latest,
        next_reason="dead_letter",
        owner=AnswererRole.TEAM_LEAD,
        office_id=directory.triage_office,
        track=Track.TRIAGE,
        end=None,
        endings=announced.endings,
        policy=policy,
        directory=directory,
    )


def hold_back(
    case_id: str, standing: Iterable[StandingEscalation], now: datetime
) -> tuple[Announcement, ...]:
    """Return the withdrawals for a case of which an event can't be read: a fact is unknown."""
    because = ("a stored event of this case can't be read",)
    case = Case(case_id)
    return tuple(
        _withdraw(case, one, WithdrawalReason.OPEN_DEAD_LETTER, because, now)
        for one in sorted(standing, key=lambda one: one.escalation_id.int)
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


def answer_by(proposal: Proposal, calendar: Calendar, raised_at: datetime) -> datetime:
    """Return by when a proposal raised at an instant is to be answered."""
    terms = proposal.judge.policy.terms
    days = proposal.rule.answer_working_days or terms.answer_working_days
    return calendar.after_working_days(raised_at, days)


def _owner(
    rules: Sequence[Rule], judgement: Judgement, letters: OpenLetters | None
) -> AnswererRole:
    """Return the owner of the highest proposal, else of the highest blocked rule, else a coach.

    Without a proposal, a case with open dead letters waits for the team lead, who decides on them.
    """
    if not rules and letters is not None:
        return AnswererRole.TEAM_LEAD
    rules = rules or [settled.rule for settled in judgement.settled]
    rules = rules or [blocked.rule for blocked in judgement.blocked]
    if not rules:
        return AnswererRole.COACH
    return max(rules, key=lambda rule: rule.level).owner


_NO_LATER: Final = "longest_pause"


def _add_changes(
    judge: Judge,
    judgement: Judgement,
    route: Route | None,
    announced: Announced,
    tables: Tables,
) -> None:
    """Add to the agenda when the route, an answer or the tables change what should stand."""
    agenda, ended = judgement.agenda, judge.situation.end is not None
    if route is not None and route.until is not None and not ended:
        agenda.add(route.until, "route")
    for settled in judgement.settled:
        if settled.settlement.until is not None:
            agenda.add(settled.settlement.until, "answer", settled.rule.id)
    if not ended:
        for change_at, kind in _table_changes(announced, judge, tables):
            agenda.add(change_at, kind)


def _next_check(
    situation: Situation,
    agenda: Agenda,
    answers_due: Sequence[tuple[datetime, str]],
    letters_at: datetime | None,
    policy: Policy,
) -> tuple[datetime | None, str]:
    """Return the earliest future check and its reason.

    It is never later than the longest pause of the policy, nor than the day on which somebody must
    decide about the open dead letters: ``letters_at``, None without any. A case that has ended has
    one only if its end is to be reopened at a known instant.
    """
    for due, rule_id in answers_due:
        agenda.add(due, "reminder", rule_id)
    if situation.end is None:
        pause_ends = situation.now + duration(policy.terms.longest_pause_days)
        agenda.add(pause_ends, _NO_LATER)
        if letters_at is not None:
            agenda.add(letters_at, "dead_letter")
    at, reason = agenda.first()
    return at, "reopening" if at is not None and situation.end is not None else reason


def _status(
    letters: OpenLetters | None, level: int, situation: Situation, judgement: Judgement
) -> str:
    if situation.end is not None:
        return "ended"
    if letters is not None:
        return "needs_repair"
    if level:
        return "escalated"
    if situation.order is None:
        return "awaiting_order"
    if situation.handed_over:
        return "handed_over"
    stopped = situation.end_due is not None
    return "on_hold" if judgement.blocked or stopped else "followed"


def _differs(route: Route, order_id: str, previous: RouteRef | None) -> bool:
    """Return whether a route must be announced. Another rule with the same result need not."""
    return previous is None or not (
        previous.order_id == order_id
        and previous.office_id == route.office_id
        and previous.track == route.track
        and previous.language == route.language
        and previous.interpreter_language == route.interpreter_language
    )


def _choice(route: Route, loads: Loads | None) -> Choice:
    if loads is None or not route.candidates:
        return NO_CHOICE
    return choice_of(route.office_id, route.candidates, route.need, loads)


def _announce_route(
    case: Case,
    order_id: str,
    route: Route,
    announced: Announced,
    directory: Directory,
    choice: Choice,
) -> Announcement:
    outcome = _routed(
        case_id=case.case_id,
        order_id=order_id,
        office_id=route.office_id,
        track=route.track,
        language=route.language,
        interpreter_language=route.interpreter_language,
        rule_id=route.rule_id,
        reason=route.reason,
        as_of=route.as_of,
        directory_version=directory.version,
        directory_digest=directory.digest,
        previous=announced.route,
        office_full=choice.office_full,
        skills_missing=choice.skills_missing,
        candidates=choice.candidates,
    )
    return Announcement(name_id(f"{case.case_id}|routed|{announced.routings + 1}"), outcome)


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
