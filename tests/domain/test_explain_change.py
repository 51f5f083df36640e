"""The fact that an explanation names is the first that ``decide`` itself says changes something.

An explanation keeps what many situations of one case have in common, and asks for proposals alone.
Here the whole case is decided anew for each fact and each instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from schemas.codes import Guard
from schemas.outcomes import EscalationRaised
from streams.domain.case import Case, Fact, fold
from streams.domain.counterfactual import single_facts
from streams.domain.decide import decide, decide_judged
from streams.domain.decision import Announced, Decision
from streams.domain.explain.decision import explain_decision
from streams.domain.judges import judge_of
from streams.domain.letters import OpenLetters
from streams.domain.tables import Tables
from tests.domain import given
from tests.domain.histories import histories, instants, long_histories, of_few_types
from tests.domain.policy.test_versions import JUNE, MAY, silent, under, version

pytestmark = pytest.mark.slow

_MOST_CHECKS: Final = 40


def raised(decision: Decision) -> list[EscalationRaised]:
    found = [one.outcome for one in decision.messages if isinstance(one.outcome, EscalationRaised)]
    return sorted(found, key=lambda one: (-one.level, one.rule_id, one.occasion))


def change(
    case: Case, announced: Announced, tables: Tables, at: datetime
) -> tuple[Fact, list[str], list[str]] | None:
    """Return the first fact with which ``decide`` raises other rules, and which begin and end."""
    judge = judge_of(case, announced, tables, at)
    letters = announced.open_dead_letters
    if judge is None or (letters is not None and letters.guards is None):
        return None
    decision = decide_judged(case, judge, announced, tables, at)
    without = raised(decision)
    rules = [one.rule_id for one in without]
    tried = single_facts(judge, judge.judgement(), without, decision.office_id)
    for fact in tried:
        having = [one.rule_id for one in raised(decide(fold(case, [fact]), announced, tables, at))]
        if set(having) != set(rules):
            begin = [rule for rule in having if rule not in rules]
            return fact, begin, [rule for rule in rules if rule not in having]
    return None


def coming(
    case: Case, announced: Announced, tables: Tables, at: datetime
) -> tuple[datetime, list[str]] | None:
    """Return when ``decide`` first raises something, at the checks that it gives itself."""
    decision = decide(case, announced, tables, at)
    if raised(decision) or announced.open_dead_letters is not None:
        return None
    for _ in range(_MOST_CHECKS):
        check = decision.next_check
        if check is None:
            return None
        decision = decide(case, announced, tables, check)
        if raised(decision):
            return check, [one.rule_id for one in raised(decision)]
    return None


def assert_the_same(
    facts: Sequence[Fact], now: datetime, announced: Announced, under: Tables | None = None
) -> None:
    at, tables, case = now.astimezone(UTC), under or given.ref().tables, given.case(*facts)

    found = explain_decision(given.CASE_ID, facts, announced, tables, at)

    named = found.change
    assert change(case, announced, tables, at) == (
        None
        if named is None
        else (named.fact, [rule.id for rule in named.begin], [rule.id for rule in named.end])
    )
    if announced.open_dead_letters is None:
        first = found.coming
        assert coming(case, announced, tables, at) == (
            None if first is None else (first.at, [rule.id for rule in first.rules])
        )


LETTERS: Final = st.sampled_from([*[None] * 4, given.letters(guards=[Guard.IDENTITY_DOUBT])])


@drawn(histories(), instants(300), LETTERS)
def test_it_names_what_decide_says_of_each_fact_and_each_check(
    facts: list[Fact], at: datetime, letters: OpenLetters | None
) -> None:
    assert_the_same(facts, at, Announced(open_dead_letters=letters))


@drawn(of_few_types(), instants(300))
def test_it_does_in_a_case_without_events_of_some_types(facts: list[Fact], at: datetime) -> None:
    assert_the_same(facts, at, Announced())


@drawn(long_histories(), instants(300))
def test_it_does_in_a_case_of_many_events(facts: list[Fact], at: datetime) -> None:
    assert_the_same(facts, at, Announced())


LATER: Final = version("2026.3", MAY, silent(10), open_from=JUNE)


@drawn(histories(), instants(300))
def test_it_does_under_two_versions_of_the_policy(facts: list[Fact], at: datetime) -> None:
    assert_the_same(facts, at, Announced(), under(LATER).tables)
