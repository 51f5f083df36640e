"""Which versions a source above keeps without effect, in any order of arrival."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given as forall
from hypothesis import strategies as st

from schemas.codes import Guard
from streams.domain.case import Case, Fact, fold
from streams.domain.corrections import outranked
from tests.domain import given
from tests.domain.given import circumstance, day, miss, order
from tests.domain.histories import arrivals
from tests.domain.test_authority import BEGINS, END_OF_TIME, GREATEST, an_end, by, rank

FORGED = an_end("/anybody", time=END_OF_TIME, event_id=GREATEST)


def without_effect(*facts: Fact) -> set[tuple[str, str]]:
    """Return the sources of the versions, and those above, the same for every order of arrival."""
    found = {
        frozenset((one.fact.source, one.above.source) for one in outranked(arrived, rank))
        for arrived in permutations(facts)
    }
    (pairs,) = found
    return set(pairs)


def test_a_forged_end_of_an_appeal_is_without_effect_whenever_it_arrives() -> None:
    assert without_effect(BEGINS, FORGED) == {("/anybody", "/register")}
    assert without_effect(BEGINS, FORGED, an_end("/register")) == {("/anybody", "/register")}
    assert without_effect(FORGED) == set(), "no begin is known: nobody is above it"


def test_a_newer_version_of_a_source_below_is_without_effect_and_an_older_one_was_corrected() -> (
    None
):
    report = by("/register", miss(1))
    newer = by("/anybody", miss(1), time=day(30))
    older = by("/anybody", miss(1), time=day(1))
    assert without_effect(report, newer) == {("/anybody", "/register")}
    assert without_effect(report, older) == set()
    assert [one.differs for one in outranked([report, newer], rank)] == [False]


def test_a_version_of_an_order_by_a_source_below_is_without_effect() -> None:
    issued = by("/register", order())
    changed = by("/anybody", order(departure_term_days=0), time=day(3))
    first = by("/anybody", order(departure_term_days=0), time=day(-3))
    assert without_effect(issued, changed) == {("/anybody", "/register")}
    assert without_effect(issued, first) == set()
    assert without_effect(issued, changed, by("/court", order(), time=day(4))) == {
        ("/anybody", "/register")
    }


def test_other_facts_and_sources_of_one_rank_are_not_concerned() -> None:
    other = circumstance(Guard.IDENTITY_DOUBT, effective_at=day(2), reference="doubt-1")
    assert without_effect(BEGINS, by("/anybody", other)) == set()
    assert without_effect(by("/register", miss(1)), by("/registry", miss(1), time=day(9))) == set()


@forall(arrivals(), st.lists(st.sampled_from(["/anybody", "/register", "/court"]), min_size=40))
def test_what_is_without_effect_changes_no_decision(
    history: tuple[list[Fact], list[Fact]], sources: list[str]
) -> None:
    facts, _ = history
    known = [by(sources[n % len(sources)], fact) for n, fact in enumerate(facts)]
    kept_out = {(one.fact.event_id, one.fact.source) for one in outranked(known, rank)}
    left = [fact for fact in known if (fact.event_id, fact.source) not in kept_out]

    whole, without = (fold(Case(given.CASE_ID, rank=rank), facts) for facts in (known, left))

    now = given.LATER
    one, other = given.decided(whole, now), given.decided(without, now)
    assert given.raised(one).keys() == given.raised(other).keys()
