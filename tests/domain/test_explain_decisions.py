"""A decision is explained: what stands and why, what is nearest, and what would change it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as drawn

from schemas.codes import Guard
from schemas.events import (
    AppointmentMissed,
    CircumstanceChanged,
    CircumstanceState,
    Conclusion,
    FollowUpEnded,
    FollowUpState,
    InterviewCompleted,
    Justification,
    Review,
)
from streams.domain.case import Fact
from streams.domain.decision import Announced
from streams.domain.explain.decision import Explanation, Known, happened_by
from streams.domain.policy.rules import LANGUAGES
from tests.domain import given
from tests.domain.given import LATER, circumstance, day, ended, interview, miss, order, planned
from tests.domain.histories import histories, instants
from tests.domain.stories import OTHERS, RULES, explained, file, golden, of_story, text
from tests.domain.test_explain_property import faults


def rules(found: Explanation) -> set[str]:
    return {one.rule_id for one in found.proposals}


def test_every_rule_of_the_policy_has_a_case_in_which_it_stands() -> None:
    assert {rule.id for rule in given.ref().policy.rules} == set(RULES)
    for rule_id, story in RULES.items():
        assert rule_id in rules(of_story(story)), rule_id


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_caseworker_has_read_every_explanation(language: str) -> None:
    """If this differs on purpose: ``python -m tests.domain.stories``, and read what changed."""
    assert golden(language) == file(language).read_text()


class TestTerms:
    def test_a_pause_that_ended_moves_the_last_day_and_says_what_paused(self) -> None:
        lines = text(of_story(OTHERS["a term that paused and runs again"]), "en")

        at = next(i for i, line in enumerate(lines) if "+ 20 working days = " in line)
        assert lines[at].endswith("= 13 April 2026")
        assert lines[at + 1 : at + 3] == [
            "      - first day counted: 16 March 2026; last day: 13 April 2026",
            "      - the days did not run from 9 March 2026 to 13 March 2026: "
            "reason for an absence to be reviewed",
        ]

    def test_a_pause_that_goes_on_has_no_last_day(self) -> None:
        found = of_story(OTHERS["a term that a procedure holds"])
        assert found.nearest is not None
        assert found.nearest.rule.id == "give-first-date"
        lines = text(found, "en")
        assert (
            "    - notification of the order, 2 March 2026 + 3 working days: the days do not run"
            in lines
        )
        assert "      - the days have not run since 3 March 2026: doubt about identity" in lines


class TestWhatWouldChangeIt:
    def test_an_absence_that_was_justified(self) -> None:
        found = explained([order(), miss(1)], day(4))

        assert found.change is not None
        event = found.change.fact.event
        assert isinstance(event, AppointmentMissed)
        assert event.review is Review.ACCEPTED
        assert [rule.id for rule in found.change.end] == ["reinvite-after-first-miss"]
        assert [rule.id for rule in found.change.begin] == ["invite-again"]

    def test_the_end_of_the_circumstance_that_holds_everything_back(self) -> None:
        found = of_story(OTHERS["guards hold everything back"])

        assert not found.proposals
        assert found.change is not None
        event = found.change.fact.event
        assert isinstance(event, CircumstanceChanged)
        assert (event.circumstance, event.state) == (Guard.IDENTITY_DOUBT, CircumstanceState.ENDS)
        assert event.reference == "procedure-1"

    def test_of_two_checks_that_are_missing_one_alone_changes_nothing(self) -> None:
        refused = interview(conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED)
        found = explained([order(), refused], day(40))

        assert rules(found) == {"silence"}
        assert found.change is not None
        assert isinstance(found.change.fact.event, InterviewCompleted)

    def test_an_ended_case_would_have_to_be_reopened(self) -> None:
        found = of_story(OTHERS["the follow-up has ended"])

        assert (found.proposals, found.coming, found.nearest) == ([], None, None)
        assert found.change is not None
        assert isinstance(found.change.fact.event, FollowUpEnded)
        assert found.change.fact.event.state is FollowUpState.REOPENED

    def test_a_record_that_may_say_anything_leaves_nothing_to_try(self) -> None:
        found = of_story(OTHERS["a record could not be read"])

        assert found.held_back
        assert (found.proposals, found.change, found.nearest, found.coming) == ([], *[None] * 3)
        assert "  - a person decides about the record that could not be read" in text(found, "en")


class TestNothingStands:
    def test_it_says_from_when_something_would(self) -> None:
        found = of_story(OTHERS["nothing stands until a day that is known"])

        assert found.coming is not None
        assert [rule.id for rule in found.coming.rules] == ["report-outcome"]
        assert found.coming.at == datetime(2026, 3, 17, tzinfo=given.BRUSSELS)
        assert "  - If nothing is reported until then, from 17 March 2026:" in text(found, "en")

    def test_an_answer_settles_it_and_is_named(self) -> None:
        lines = text(of_story(OTHERS["a proposal that was answered"]), "en")
        assert (
            "  - an answer was given on 7 March 2026 (coach): done, the person is invited – "
            "Invite the person again after a first unjustified absence"
        ) in lines

    def test_a_case_without_events_says_so(self) -> None:
        found = explained([], day(1))
        assert (found.facts, found.guards, found.change) == ((), (), None)
        assert "  - no event is known" in text(found, "en")


class TestEarlierTimes:
    JUSTIFIED = miss(1, time=day(20), justification=Justification.MEDICAL, review=Review.ACCEPTED)
    LATE = interview(1, held_at=day(4, 8), time=day(30))

    def test_a_later_correction_belongs_to_what_is_known_now(self) -> None:
        facts = [order(), miss(1), self.JUSTIFIED]
        now = [fact for fact in facts if happened_by(fact, day(4))]
        assert rules(explained(facts[:2], day(4), known=Known.THEN)) == {
            "reinvite-after-first-miss"
        }
        assert rules(explained(now, day(4))) == {"invite-again"}

    def test_a_late_event_does_too_but_a_later_one_does_not(self) -> None:
        facts = [order(), miss(1), self.LATE, interview(2, held_at=day(9), time=day(9))]
        known = [fact for fact in facts if happened_by(fact, day(5))]
        assert known == facts[:3]
        assert rules(explained(known, day(5))) == set()

    @pytest.mark.parametrize(
        ("fact", "belongs"),
        [
            (order(time=day(9)), True),
            (order(notified_at=day(9)), False),
            (circumstance(Guard.IDENTITY_DOUBT, effective_at=day(3), time=day(9)), True),
            (circumstance(Guard.IDENTITY_DOUBT, effective_at=day(8), time=day(9)), False),
            (planned(day(20), time=day(9)), False),
            (planned(day(20), time=day(4)), True),
            (ended(day(3), time=day(9)), True),
            (given.answered("x", "y", day(3), time=day(9)), True),
            (given.answered("x", "y", day(8), time=day(9)), False),
        ],
    )
    def test_what_had_happened_by_then(self, fact: Fact, belongs: bool) -> None:
        assert happened_by(fact, day(5)) is belongs

    def test_the_text_names_which_events_it_rests_on(self) -> None:
        then, now = (text(explained([order()], day(1), known=known), "en")[2] for known in Known)
        assert then == "Rests on the events recorded until then: what was decided then"
        assert now.endswith("what would be decided today")

    def test_what_another_policy_had_announced_is_not_concealed(self) -> None:
        decision = given.decide([order(), miss(1)], day(4).astimezone(UTC))
        announced = Announced().after(decision)
        found = explained([order()], day(4), announced, Known.THEN)
        assert [one.rule_id for one in found.recorded] == ["reinvite-after-first-miss"]
        assert any("Announced at that time, although" in line for line in text(found, "en"))


def test_dates_and_rounds_are_those_of_the_announcement() -> None:
    facts = [order(), miss(1)]
    announced = Announced().after(given.decide(facts, day(4).astimezone(UTC)))
    (found,) = explained(facts, day(6), announced).proposals
    assert found.detected_at == day(4)
    assert found.answer_by == given.decide(facts, day(4).astimezone(UTC)).next_check


@pytest.mark.slow
class TestWhateverHappened:
    @drawn(histories(), instants(300))
    def test_it_explains_exactly_what_is_decided(self, facts: list[Fact], at: datetime) -> None:
        found = explained(facts, at)
        assert rules(found) == set(given.standing(facts, at))

    @drawn(histories(), instants(300))
    def test_the_fact_that_is_named_changes_what_stands(
        self, facts: list[Fact], at: datetime
    ) -> None:
        found = explained(facts, at)
        if found.change is not None:
            having = set(given.standing([*facts, found.change.fact], at))
            begin = {rule.id for rule in found.change.begin}
            end = {rule.id for rule in found.change.end}
            assert begin or end
            assert having == (rules(found) | begin) - end

    @drawn(histories(), instants(300))
    def test_nothing_stands_before_the_day_that_is_named(
        self, facts: list[Fact], at: datetime
    ) -> None:
        found = explained(facts, at)
        if found.coming is not None:
            assert set(given.standing(facts, found.coming.at)) == {
                rule.id for rule in found.coming.rules
            }
            before = found.coming.at - timedelta(microseconds=1)
            middle = at + (found.coming.at - at) / 2
            assert not given.standing(facts, before)
            assert not given.standing(facts, middle)

    @drawn(histories(), instants(300))
    def test_no_code_reaches_the_reader(self, facts: list[Fact], at: datetime) -> None:
        found = explained(facts, at)
        for language in LANGUAGES:
            assert faults(text(found, language)) == []


def test_the_end_of_a_closed_case_is_not_lost_on_a_later_order() -> None:
    again = order(order_id="order-2", notified_at=LATER, repeat_order=True)
    found = explained([order(), ended(day(6)), again], LATER + timedelta(days=7))
    assert rules(found) == {"give-first-date"}
