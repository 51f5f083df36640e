"""Find what judges a case: a judge for each version of the policy that applies to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from streams.domain import routing
from streams.domain.case import Case
from streams.domain.clocks import Calendar
from streams.domain.decision import Announced
from streams.domain.derivation import situation_of
from streams.domain.directory.model import Directory
from streams.domain.judge import Judge
from streams.domain.policy.rules import Policy
from streams.domain.situation import Situation
from streams.domain.stages import STAGES, CaseFacts, Stages, facts_of
from streams.domain.tables import Tables


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
    began = began_at(under_newest)
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
    return situation_of(
        facts,
        policy.terms,
        policy.counting,
        policy.questions,
        calendar,
        lambda order, postcode: routing.contact_language(order, postcode, directory),
        STAGES if stages is None else stages(policy),
    )


def began_at(situation: Situation) -> datetime:
    """Return when the order was notified, or when the case began if no order is known."""
    order = situation.order
    return order.notified_at if order is not None else situation.first_event
