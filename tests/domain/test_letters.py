"""What an open dead letter holds back, and by when somebody must decide about it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from schemas.codes import Guard
from schemas.events import AnswererRole, Conclusion
from schemas.outcomes import WithdrawalReason
from schemas.producers import Producers
from streams.domain.case import Fact
from streams.domain.decision import Announced
from streams.domain.letters import MAY_BE_REPORTED, OpenLetters, decide_by, open_letters
from tests import producers
from tests.domain import given
from tests.domain.given import (
    BRUSSELS,
    TERM_END,
    applied,
    checked,
    circumstance,
    day,
    decide,
    interview,
    letters,
    miss,
    order,
    raised,
    ref,
    standing,
    withdrawn,
)
from tests.domain.histories import histories, instants

CIRCUMSTANCES = "icam.circumstance-changed.v1"
ORDERS = "icam.oqt-issued.v1"
TERM, APPEAL = Guard.DEPARTURE_TERM_RUNNING, Guard.APPEAL_SUSPENSIVE_PENDING
REFUSED = interview(conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED)
THREE = [order(), *checked(), miss(1), miss(2), miss(3)]
"""After the terms, a review is due; the rule of outreach waives the running terms."""


def named(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=BRUSSELS)


def about(topics: list[str], table: Producers = producers.PRODUCERS) -> OpenLetters | None:
    return open_letters([(topic, day(1)) for topic in topics], table.concerned_by)


def test_a_letter_on_the_topic_of_an_appeals_register_concerns_what_it_may_report() -> None:
    table = ref().producers
    assert table.concerned_by(ORDERS) is None
    assert table.concerned_by(f"{CIRCUMSTANCES}.gone") is None, "a topic that left the table"
    assert about([CIRCUMSTANCES]) == OpenLetters(1, day(1), frozenset(Guard))
    assert about([CIRCUMSTANCES, ORDERS]) == OpenLetters(2, day(1))
    assert about([]) is None


def test_letters_are_counted_from_the_oldest() -> None:
    found = open_letters([(ORDERS, day(3)), (ORDERS, day(2))], lambda _: None)
    assert found == OpenLetters(2, day(2))


@forall(histories(), instants(300), st.sets(st.sampled_from(Guard), min_size=1))
def test_what_stands_under_a_letter_is_what_stands_while_its_guards_are_unknown(
    facts: list[Fact], now: datetime, guards: set[Guard]
) -> None:
    held = raised(decide(facts, now, Announced(open_dead_letters=letters(guards=guards))))
    free = standing(facts, now)
    for name in held:
        rule = ref().policy.rule(name)
        assert rule is not None
        assert guards <= rule.waives.keys()
    for name, proposal in free.items():
        rule = ref().policy.rule(name)
        assert rule is not None
        if guards <= rule.waives.keys() and proposal.rule_id not in held:
            covering = [ref().policy.rule(one) for one in held]
            assert any(one is not None and rule.group in one.covers for one in covering)


def test_a_letter_of_a_circumstance_withdraws_the_rules_that_heed_it_and_says_which() -> None:
    announced = applied(Announced(), decide(THREE, TERM_END))
    assert [s.rule_id for s in announced.standing] == ["review-after-third-miss"]
    frozen = announced._replace(open_dead_letters=letters(guards=[TERM]))

    decision = decide(THREE, TERM_END, frozen)

    withdrawal = withdrawn(decision)["review-after-third-miss"]
    assert withdrawal.reason is WithdrawalReason.OPEN_DEAD_LETTER
    assert withdrawal.because == (f"guard {TERM} is unknown: {MAY_BE_REPORTED}",)
    assert [blocked.rule.id for blocked in decision.blocked] == ["review-after-third-miss"]
    # The rule below it waives the guard: the person is served meanwhile.
    assert list(raised(decision)) == ["outreach-after-second-miss"]


def test_a_guard_that_blocks_anyway_is_not_blamed_on_a_letter() -> None:
    announced = applied(Announced(), decide(THREE, TERM_END))
    appeal = circumstance(APPEAL, effective_at=day(29))
    frozen = announced._replace(open_dead_letters=letters(guards=[Guard.SCHOOL_TERM_SUSPENSION]))

    decision = decide([*THREE, appeal], TERM_END, announced)
    assert withdrawn(decision)["review-after-third-miss"].reason is WithdrawalReason.GUARD
    decision = decide([*THREE, appeal], TERM_END, frozen)
    assert (
        withdrawn(decision)["review-after-third-miss"].reason is WithdrawalReason.OPEN_DEAD_LETTER
    )


def test_a_letter_on_any_other_topic_holds_back_everything() -> None:
    facts = [order()]
    assert standing(facts, day(5))
    assert raised(decide(facts, day(5), Announced(open_dead_letters=letters()))) == {}


@pytest.mark.parametrize(
    ("since", "now", "check"),
    [
        # Easter Monday is 6 April 2026.
        ("2026-03-10T09:00", "2026-03-10T09:00", "2026-03-12T00:00"),
        ("2026-03-10T09:00", "2026-03-11T23:59", "2026-03-12T00:00"),
        ("2026-03-10T09:00", "2026-03-12T00:00", "2026-03-13T00:00"),
        ("2026-03-10T09:00", "2026-03-13T00:00", "2026-03-14T00:00"),
        ("2026-03-10T09:00", "2026-03-14T00:00", "2026-03-17T00:00"),
        ("2026-04-03T09:00", "2026-04-03T09:00", "2026-04-08T00:00"),
        # A letter that the database dates later than the decision counts from the decision.
        ("2026-11-28T09:00", "2026-03-10T09:00", "2026-03-12T00:00"),
    ],
)
def test_a_blocked_case_is_checked_when_somebody_must_have_decided_and_each_working_day_then(
    since: str, now: str, check: str
) -> None:
    held = letters(since=named(since))
    assert held is not None
    assert held.check_at(named(now), ref().calendar) == named(check)


@pytest.mark.parametrize("facts", [[], [order()], [miss(1)]], ids=["nothing", "order", "no order"])
def test_a_blocked_case_waits_for_the_team_lead_with_a_date_and_a_reason(
    facts: list[Fact],
) -> None:
    held = letters(since=day(5))
    decision = decide(facts, day(5), Announced(open_dead_letters=held))
    assert decision.next_check == decide_by(day(5), ref().calendar)
    assert (decision.next_reason, decision.owner) == ("dead_letter", AnswererRole.TEAM_LEAD)
    assert decision.status == "needs_repair"


@forall(histories(), instants(300), st.none() | st.sets(st.sampled_from(Guard)))
def test_a_blocked_case_is_looked_at_each_working_day_and_the_looks_end_each_day(
    facts: list[Fact], since: datetime, guards: set[Guard] | None
) -> None:
    announced = Announced(open_dead_letters=letters(guards=guards, since=since))
    now, looks = since, 0
    while now < since + timedelta(days=7):
        decision = decide(facts, now, announced)
        if decision.end is not None:
            return
        check = decision.next_check
        assert check is not None
        assert check > now
        assert check <= ref().calendar.after_working_days(now, 1)
        announced = applied(announced, decision)
        assert not given.outcomes(decide(facts, now, announced)), "a second look announces nothing"
        now, looks = check, looks + 1
    assert looks < 100
