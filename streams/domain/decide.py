"""Compute the messages needed to bring what was announced in line with what should stand.

Decisions are level-triggered: they compare the escalations that should stand with those announced,
whatever the change was. Deciding a second time therefore announces nothing new.

Every case that has not ended gets a next check, with a reason and an owner: nobody is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from schemas.events import AnswererRole
from schemas.outcomes import Track, WithdrawalReason
from streams.domain.announce import announce_end, announce_raises, announce_withdrawals, withdraw
from streams.domain.case import Case
from streams.domain.clocks import Agenda, Calendar, duration
from streams.domain.decision import Announced, Announcement, Decision
from streams.domain.difference import difference
from streams.domain.directory.model import Directory
from streams.domain.judge import Judge, Judgement
from streams.domain.judges import judge_of
from streams.domain.letters import OpenLetters
from streams.domain.loads import Loads
from streams.domain.policy.rules import Policy, Rule
from streams.domain.routed import announce_route, choice_for
from streams.domain.situation import Situation
from streams.domain.tables import Tables


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
        choice = choice_for(found.route, loads)
        messages.append(
            announce_route(case, order.order_id, found.route, announced, directory, choice)
        )
    endings = announce_end(case, situation, announced, messages)
    messages += announce_withdrawals(case, found, announced, judge, judgement)
    messages += announce_raises(case, found, judge, judgement, announced, tables)
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
        withdraw(case, s, WithdrawalReason.NO_LONGER_HOLDS, ("no order is known",), now)
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
