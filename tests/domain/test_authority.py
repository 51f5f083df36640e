"""A fact is corrected by its own source or by one that ranks above it, in any order of arrival."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any, Final
from uuid import UUID

from hypothesis import given as forall
from hypothesis import strategies as st

from schemas.codes import Guard
from schemas.events import CircumstanceOutcome, EndReason, Lodging
from streams.audit import refold
from streams.domain.case import Case, Fact, evolve, fold
from streams.store.digest import digest
from tests.domain import given
from tests.domain.given import LATER, circumstance, day, ended, miss, order
from tests.domain.histories import arrivals

APPEAL: Final = Guard.APPEAL_SUSPENSIVE_PENDING
RANKS: Final = {"/anybody": 1, "/register": 2, "/registry": 2, "/court": 3}
END_OF_TIME: Final = given.NOTIFIED.replace(year=2099)
GREATEST: Final = UUID(int=2**128 - 1)


def rank(source: str) -> int:
    return RANKS.get(source, 0)


def by(source: str, fact: Fact, **changed: Any) -> Fact:
    return given.retold(fact, source, **changed)


def folded(*facts: Fact) -> Case:
    return fold(Case(given.CASE_ID, rank=rank), facts)


def stands(*facts: Fact) -> set[str]:
    """Return the rules that stand, the same for every order of arrival."""
    found = {
        frozenset(given.raised(given.decided(folded(*arrived), LATER)))
        for arrived in permutations(facts)
    }
    (rules,) = found
    return set(rules)


BEGINS: Final = by("/register", circumstance(APPEAL, effective_at=day(2), reference="appeal-1"))
DECIDED: Final = CircumstanceOutcome.REFUSED


def an_end(source: str, **changed: Any) -> Fact:
    fact = circumstance(
        APPEAL,
        effective_at=day(20),
        reference="appeal-1",
        ends=True,
        outcome=DECIDED,
    )
    return by(source, fact, **changed)


ESCALATED: Final = (by("/register", order()), by("/agenda", miss(1)), by("/agenda", miss(2)))
PENDING: Final = {"confirm-circumstance"}
"""What stands while the appeal is pending: the office is asked whether it still is."""
DECIDED_SINCE: Final = {"silence"}
"""What stands once its own source said that it ended."""


def test_an_end_of_a_real_appeal_by_another_source_changes_nothing() -> None:
    forged = an_end("/anybody", time=END_OF_TIME, event_id=GREATEST)
    assert stands(*ESCALATED, BEGINS, forged) == PENDING


def test_its_own_source_ends_it_whatever_another_said_before() -> None:
    forged = an_end("/anybody", time=END_OF_TIME, event_id=GREATEST)
    assert stands(*ESCALATED, BEGINS, forged, an_end("/register")) == DECIDED_SINCE


def test_a_source_above_it_ends_it() -> None:
    assert stands(*ESCALATED, BEGINS, an_end("/court")) == DECIDED_SINCE


def test_a_begin_that_another_source_moves_into_the_future_stays() -> None:
    moved = circumstance(APPEAL, effective_at=END_OF_TIME, reference="appeal-1")
    forged = by("/anybody", moved, time=END_OF_TIME, event_id=GREATEST)
    assert stands(*ESCALATED, BEGINS, forged) == PENDING


def test_an_order_is_corrected_by_its_own_source_or_above() -> None:
    detained = by("/register", order(lodging=Lodging.DETAINED))
    at_home = order(lodging=Lodging.HOME, time=day(3), lodging_since=given.NOTIFIED)
    for source, lodging in (
        ("/anybody", Lodging.DETAINED),
        ("/register", Lodging.HOME),
        ("/court", Lodging.HOME),
    ):
        for arrived in permutations((detained, by(source, at_home))):
            situation = given.situated(folded(*arrived), LATER)
            assert situation.order is not None
            assert situation.order.lodging is lodging, source


def test_an_earlier_version_of_a_lower_source_stays_known_as_history() -> None:
    detained = by("/register", order(lodging=Lodging.DETAINED))
    released = by("/court", order(lodging=Lodging.HOME, time=day(9), lodging_since=day(9)))
    for arrived in permutations((detained, released)):
        situation = given.situated(folded(*arrived), LATER)
        assert [stay.lodging for stay in situation.stays] == [Lodging.DETAINED, Lodging.HOME]


def test_an_end_of_the_follow_up_by_a_lower_source_does_not_reopen_it() -> None:
    over = by("/register", ended(day(5), EndReason.LEFT_VOLUNTARILY))
    other = by("/anybody", ended(END_OF_TIME, EndReason.LEFT_VOLUNTARILY, time=day(30)))
    for arrived in permutations((*ESCALATED[:1], over, other)):
        assert given.situated(folded(*arrived), LATER).end is not None


@forall(arrivals(), st.lists(st.sampled_from([*RANKS, "/unknown"]), min_size=60, max_size=60))
def test_the_fold_with_ranks_is_independent_of_the_order_and_agrees_with_the_audit(
    history: tuple[list[Fact], list[Fact]], sources: list[str]
) -> None:
    facts, arrived = history
    source_of = {fact.event_id: sources[number % len(sources)] for number, fact in enumerate(facts)}
    told, again = (
        [by(source_of[fact.event_id], fact) for fact in some] for some in (facts, arrived)
    )
    expected = digest(folded(*told))
    assert digest(folded(*again)) == expected

    one_by_one = Case(given.CASE_ID, rank=rank)
    for fact in again:
        one_by_one = evolve(one_by_one, fact)
    assert digest(one_by_one) == expected

    versions = [
        refold.Version(f.time, f.event_id, "", f.event, f.source, rank(f.source)) for f in again
    ]
    assert refold.digest(refold.refold(versions)) == expected


@forall(st.permutations(["/anybody", "/register", "/court", "/unknown", "/registry"]))
def test_of_several_sources_the_highest_holds_and_of_its_versions_the_newest(
    arriving: list[str],
) -> None:
    facts = [
        by(source, miss(1), time=day(30) - timedelta(days=rank(source)), event_id=UUID(int=n))
        for n, source in enumerate(arriving)
    ]
    (held,) = folded(*facts).facts.values()
    assert held.source == "/court"
    (held,) = folded(*(f for f in facts if f.source != "/court")).facts.values()
    assert rank(held.source) == 2
