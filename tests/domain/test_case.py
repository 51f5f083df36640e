"""A case is a fold of its log: neither the order nor the repetition of its facts matters."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as forall

from schemas.codes import Guard
from schemas.events import (
    Answer,
    Conclusion,
    Delivery,
    EndReason,
    Justification,
    Review,
)
from streams.domain.case import Case, Fact, evolve, fold
from streams.store.digest import digest as stored_digest
from tests.domain import given
from tests.domain.given import (
    CASE_ID,
    LATER,
    answered,
    case,
    circumstance,
    day,
    decide,
    ended,
    interview,
    miss,
    order,
    planned,
    raised,
    standing,
)
from tests.domain.histories import arrivals, instants

ASYLUM = Guard.ASYLUM_REQUEST_PENDING
ASKED = ("reinvite-after-first-miss", "order-1/miss/appointment-1")


@forall(arrivals(), instants(300))
def test_facts_in_any_order_with_duplicates_give_the_same_case_and_decision(
    history: tuple[list[Fact], list[Fact]], now: datetime
) -> None:
    facts, arrived = history
    assert stored_digest(case(*arrived)) == stored_digest(case(*facts))
    assert decide(arrived, now) == decide(facts, now)


@forall(arrivals())
def test_evolving_fact_by_fact_equals_the_fold(history: tuple[list[Fact], list[Fact]]) -> None:
    _, arrived = history
    one_by_one = Case(CASE_ID)
    for fact in arrived:
        one_by_one = evolve(one_by_one, fact)
    assert one_by_one == fold(Case(CASE_ID), arrived)


@forall(arrivals())
def test_a_new_or_corrected_fact_changes_the_digest(
    history: tuple[list[Fact], list[Fact]],
) -> None:
    facts, _ = history
    cases = [case(*facts[:count]) for count in range(len(facts) + 1)]
    contents = {frozenset(f.event_id for f in folded.facts.values()) for folded in cases}
    assert len({stored_digest(folded) for folded in cases}) == len(contents)


def test_a_known_fact_leaves_the_case_unchanged() -> None:
    before = case(order(), miss())
    assert evolve(before, miss()) is before


def test_fold_does_not_modify_its_argument() -> None:
    before = case(order())
    fold(before, [miss()])
    assert list(before.facts) == [order().key]


def test_of_two_versions_with_the_same_time_the_greater_event_id_is_kept() -> None:
    time = day(4)
    one, other = (miss(review=review, time=time) for review in (Review.NONE, Review.ACCEPTED))
    assert one.event_id != other.event_id
    kept = max(one, other, key=lambda fact: fact.event_id)
    assert case(one, other).facts == case(other, one).facts == {kept.key: kept}


def test_times_in_two_time_zones_are_compared_as_instants() -> None:
    early = Fact(day(4).astimezone(given.BRUSSELS), UUID(int=2), miss().event)
    later = miss(review=Review.ACCEPTED).event
    late = Fact(day(4).astimezone(ZoneInfo("Asia/Kolkata")), UUID(int=1), later)
    assert case(early, late).facts == {early.key: early}


def test_a_miss_that_arrives_before_its_order_is_decided_once_the_order_arrives() -> None:
    early = decide([miss()], day(5))
    assert (early.status, early.messages) == ("awaiting_order", ())
    assert early.next_reason == "rule:find-order"
    after = decide([miss(), order()], day(5))
    assert set(raised(after)) == {"reinvite-after-first-miss"}


def test_a_second_order_supersedes_the_first_with_its_misses() -> None:
    second = order(order_id="order-2", notified_at=day(10))
    assert set(standing([order(), miss()], day(11))) == {"reinvite-after-first-miss"}
    assert standing([order(), miss(), second], day(11)) == {}


def test_an_older_order_that_arrives_late_does_not_supersede_the_current_one() -> None:
    older = order(order_id="order-0", notified_at=day(-30), time=day(12))
    assert decide([order(), miss(), older], day(13)).order_id == "order-1"


def test_a_late_justification_changes_the_standing_escalation() -> None:
    facts = [order(), miss(1), miss(2)]
    assert set(standing(facts, day(12))) == {"outreach-after-second-miss"}
    justified = miss(1, justification=Justification.MEDICAL, review=Review.ACCEPTED, time=day(14))
    assert set(standing([*facts, justified], day(15))) == {"reinvite-after-first-miss"}


def test_a_justification_that_awaits_review_blocks_every_escalation() -> None:
    pending = miss(1, justification=Justification.MEDICAL, review=Review.PENDING, time=day(14))
    facts = [order(), miss(1), miss(2), pending]
    assert standing(facts, day(15)) == {}
    assert given.blocking(facts, day(15)) == {
        "reinvite-after-first-miss": {Guard.JUSTIFIED_ABSENCE_PENDING}
    }


def test_a_corrected_delivery_changes_the_standing_escalation() -> None:
    corrected = miss(1, delivery=Delivery.FAILED, time=day(14))
    assert set(standing([order(), miss(1), corrected], day(15))) == {"check-delivery"}


def test_a_correction_that_arrives_before_the_corrected_fact_still_applies() -> None:
    corrected = miss(1, delivery=Delivery.FAILED, time=day(14))
    assert set(standing([corrected, miss(1), order()], day(15))) == {"check-delivery"}


def test_an_interview_under_the_same_appointment_proves_it_was_not_missed() -> None:
    came_a_day_early = interview(1, appointment_id="appointment-1", held_at=day(2))
    assert standing([order(), miss(1), came_a_day_early], day(5)) == {}
    for_another = interview(1, appointment_id="appointment-0", held_at=day(2))
    assert standing([order(), miss(1), for_another], day(5)) != {}


def test_an_interview_restarts_the_count_of_misses() -> None:
    facts = [order(), miss(1), miss(2), interview(held_at=day(12)), miss(3)]
    assert set(standing(facts, day(18))) == {"reinvite-after-first-miss"}


def test_a_miss_at_the_same_instant_as_an_interview_does_not_count() -> None:
    held = interview(held_at=miss(1).event.scheduled_at)  # type: ignore[union-attr]
    assert standing([order(), held, miss(1)], day(5)) == {}


def test_if_interviews_do_not_restart_the_count_every_miss_counts() -> None:
    facts = [order(), miss(1), miss(2), interview(held_at=day(12)), miss(3)]
    derived = given.derive(facts, LATER, interview_restarts_count=False)
    assert len(derived.counted) == 3


def test_a_circumstance_still_blocks_under_a_later_order() -> None:
    procedure = circumstance(Guard.NEW_RESIDENCE_PROCEDURE, order_id="order-1", effective_at=day(1))
    second = order(order_id="order-2", notified_at=day(10))
    facts = [order(), procedure, second, miss(order_id="order-2", scheduled_at=day(12))]
    assert standing(facts, day(13)) == {}


def test_a_planned_appointment_counts_as_a_step() -> None:
    planned = interview(next_appointment=given.appointment(LATER))
    derived = given.derive([order(), planned], LATER)
    assert derived.last_step == LATER
    assert "silence" not in standing([order(), planned], LATER + timedelta(days=20))


APART = day(30)
"""A later time at which the same thing is reported again."""


@pytest.mark.parametrize(
    ("once", "again", "facts"),
    [
        (miss(1), miss(1, time=APART, review=Review.ACCEPTED), 1),
        (miss(1), miss(2), 2),
        (interview(1), interview(1, time=APART, conclusion=Conclusion.RESIDENCE_PROSPECT), 1),
        (interview(1), interview(2), 2),
        (circumstance(ASYLUM), circumstance(ASYLUM, effective_at=day(21), time=APART), 1),
        (circumstance(ASYLUM), circumstance(ASYLUM, ends=True), 2),
        (circumstance(ASYLUM), circumstance(ASYLUM, reference="procedure-2"), 2),
        (circumstance(ASYLUM), circumstance(Guard.IDENTITY_DOUBT), 2),
        (planned(day(9)), planned(day(10), time=APART), 1),
        (planned(day(9)), planned(day(9), "appointment-8"), 2),
        (answered(*ASKED, day(9)), answered(*ASKED, day(10), Answer.NOT_APPLICABLE), 1),
        (answered(*ASKED, day(9)), answered(*ASKED, day(9), round=2), 2),
        (answered(*ASKED, day(9)), answered("silence", "order-1/silent", day(9)), 2),
        (ended(day(9)), ended(day(10), EndReason.DECEASED), 1),
        (ended(day(9)), ended(day(9), order_id="order-1"), 2),
        (ended(day(9), order_id="order-1"), ended(day(9), order_id="order-2"), 2),
        (order(), order(residence_postcode="2000", time=APART), 2),
    ],
)
def test_a_report_corrects_another_about_the_same_thing_only(
    once: Fact, again: Fact, facts: int
) -> None:
    known = case(once, again).facts.values()

    assert len(known) == facts
    assert again in known
    assert (once in known) == (facts == 2)
