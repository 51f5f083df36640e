"""A case is a fold of its log: neither order nor repetition of its facts matters."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given as forall

from schemas.events import Delivery, Justification, Review
from schemas.types import Guard
from streams.domain import situation
from streams.domain.case import Case, Fact, evolve, fold
from streams.store.digest import digest as stored_digest
from tests.domain import given
from tests.domain.given import (
    CASE_ID,
    LATER,
    case,
    circumstance,
    day,
    decide,
    interview,
    miss,
    order,
    raised,
    standing,
)
from tests.domain.histories import arrivals, instants


@forall(arrivals(), instants(300))
def test_any_order_and_any_duplicates_give_the_same_case_and_decision(
    told: tuple[list[Fact], list[Fact]], now: datetime
) -> None:
    facts, arrived = told
    assert stored_digest(case(*arrived)) == stored_digest(case(*facts))
    assert decide(arrived, now) == decide(facts, now)


@forall(arrivals())
def test_taking_facts_in_one_by_one_equals_the_fold(told: tuple[list[Fact], list[Fact]]) -> None:
    _, arrived = told
    one_by_one = Case(CASE_ID)
    for fact in arrived:
        one_by_one = evolve(one_by_one, fact)
    assert one_by_one == fold(Case(CASE_ID), arrived)


@forall(arrivals())
def test_one_fact_more_or_corrected_gives_another_digest(
    told: tuple[list[Fact], list[Fact]],
) -> None:
    growing = [case(*told[0][:count]) for count in range(len(told[0]) + 1)]
    standing = {frozenset(f.event_id for f in known.facts.values()) for known in growing}
    assert len({stored_digest(known) for known in growing}) == len(standing)


def test_a_fact_known_already_changes_nothing() -> None:
    known = case(order(), miss())
    assert evolve(known, miss()) is known


def test_the_fold_leaves_the_case_it_was_given_alone() -> None:
    known = case(order())
    fold(known, [miss()])
    assert list(known.facts) == ["order:order-1"]


def test_of_two_versions_said_at_the_same_instant_the_greater_id_holds() -> None:
    said = day(4)
    one, other = (miss(review=review, said=said) for review in (Review.NONE, Review.ACCEPTED))
    assert one.event_id != other.event_id
    kept = max(one, other, key=lambda fact: fact.event_id)
    assert case(one, other).facts == case(other, one).facts == {kept.key: kept}


def test_one_instant_in_two_zones_is_one_instant() -> None:
    early = Fact(day(4).astimezone(given.BRUSSELS), UUID(int=2), miss().event)
    later = miss(review=Review.ACCEPTED).event
    late = Fact(day(4).astimezone(ZoneInfo("Asia/Kolkata")), UUID(int=1), later)
    assert case(early, late).facts == {early.key: early}


def test_a_miss_before_its_order_waits_for_it() -> None:
    before = decide([miss()], day(5))
    assert (before.status, before.messages, before.next_check) == ("awaiting_order", (), None)
    after = decide([miss(), order()], day(5))
    assert set(raised(after)) == {"reinvite-after-first-miss"}


def test_a_second_order_supersedes_the_first_with_its_misses() -> None:
    second = order(order_id="order-2", notified_at=day(10))
    assert set(standing([order(), miss()], day(11))) == {"reinvite-after-first-miss"}
    assert standing([order(), miss(), second], day(11)) == {}


def test_an_older_order_that_arrives_late_supersedes_nothing() -> None:
    older = order(order_id="order-0", notified_at=day(-30), said=day(12))
    assert decide([order(), miss(), older], day(13)).order_id == "order-1"


def test_a_late_justification_changes_what_stands() -> None:
    facts = [order(), miss(1), miss(2)]
    assert set(standing(facts, day(12))) == {"outreach-after-second-miss"}
    justified = miss(1, justification=Justification.MEDICAL, review=Review.ACCEPTED, said=day(14))
    assert set(standing([*facts, justified], day(15))) == {"reinvite-after-first-miss"}


def test_a_reason_that_awaits_review_holds_everything_back() -> None:
    pending = miss(1, justification=Justification.MEDICAL, review=Review.PENDING, said=day(14))
    facts = [order(), miss(1), miss(2), pending]
    assert standing(facts, day(15)) == {}
    assert given.blocking(facts, day(15)) == {
        "reinvite-after-first-miss": {Guard.JUSTIFIED_ABSENCE_PENDING}
    }


def test_a_correction_of_the_delivery_changes_what_stands() -> None:
    corrected = miss(1, delivery=Delivery.FAILED, said=day(14))
    assert set(standing([order(), miss(1), corrected], day(15))) == {"check-delivery"}


def test_a_correction_that_comes_before_what_it_corrects_still_holds() -> None:
    corrected = miss(1, delivery=Delivery.FAILED, said=day(14))
    assert set(standing([corrected, miss(1), order()], day(15))) == {"check-delivery"}


def test_an_interview_under_the_same_appointment_shows_it_was_not_missed() -> None:
    came_a_day_early = interview(1, appointment_id="appointment-1", held_at=day(2))
    assert standing([order(), miss(1), came_a_day_early], day(5)) == {}
    for_another = interview(1, appointment_id="appointment-0", held_at=day(2))
    assert standing([order(), miss(1), for_another], day(5)) != {}


def test_an_interview_restarts_the_count_of_misses() -> None:
    facts = [order(), miss(1), miss(2), interview(held_at=day(12)), miss(3)]
    assert set(standing(facts, day(18))) == {"reinvite-after-first-miss"}


def test_a_miss_at_the_very_instant_of_an_interview_does_not_count() -> None:
    held = interview(held_at=miss(1).event.scheduled_at)  # type: ignore[union-attr]
    assert standing([order(), held, miss(1)], day(5)) == {}


def test_without_the_restart_every_miss_counts() -> None:
    known = case(order(), miss(1), miss(2), interview(held_at=day(12)), miss(3))
    found = situation.derive_situation(known, interview_restarts_count=False)
    assert found is not None
    assert len(found.counted) == 3


def test_a_circumstance_outlives_the_order_it_was_reported_under() -> None:
    procedure = circumstance(Guard.NEW_RESIDENCE_PROCEDURE, order_id="order-1", effective_at=day(1))
    second = order(order_id="order-2", notified_at=day(10))
    facts = [order(), procedure, second, miss(order_id="order-2", scheduled_at=day(12))]
    assert standing(facts, day(13)) == {}


def test_a_planned_appointment_counts_as_contact() -> None:
    planned = interview(next_appointment=given.appointment(LATER))
    found = situation.derive_situation(case(order(), planned))
    assert found is not None
    assert found.last_contact == LATER
    assert "silence" not in standing([order(), planned], LATER + timedelta(days=20))
