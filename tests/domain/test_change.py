"""Every escalation names the one fact that would end it: found without deciding the case again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
import pytest
from hypothesis import given as drawn

from schemas.codes import Guard
from schemas.events import (
    EVENT_TYPES,
    AppointmentMissed,
    CircumstanceChanged,
    CircumstanceState,
    Event,
    InterviewCompleted,
    ProposalAnswered,
    Review,
)
from schemas.outcomes import EscalationRaised, body
from streams.domain.case import Fact, fold
from streams.domain.counterfactual import Answered, content_of, fact_of, in_codes, trials
from streams.domain.decide import decide
from streams.domain.decision import Announced
from streams.domain.judge import Judge
from streams.domain.judges import judge_of
from streams.domain.tables import Tables
from tests.domain import given
from tests.domain.given import day, interview, miss, order
from tests.domain.histories import histories, instants, long_histories
from tests.domain.policy.test_versions import JUNE, MAY, silent, under, version
from tests.domain.stories import RULES


def named(raised: EscalationRaised) -> Event:
    """Return the event that would end a proposal, read as a subscriber reads it."""
    change = orjson.loads(body(raised))["evidence"]["change"]
    return EVENT_TYPES[change["event_type"]].read_json(orjson.dumps(change["data"]))


class TestWhatWouldEndIt:
    def test_a_justified_absence_ends_the_first_reinvitation(self) -> None:
        event = named(given.standing([order(), miss(1)], day(4))["reinvite-after-first-miss"])

        assert isinstance(event, AppointmentMissed)
        assert (event.appointment_id, event.review) == ("appointment-1", Review.ACCEPTED)

    def test_an_interview_ends_a_silence(self) -> None:
        event = named(given.standing([order(), interview()], day(36))["silence"])

        assert isinstance(event, InterviewCompleted)

    def test_an_answer_ends_what_only_the_office_can_do(self) -> None:
        story = RULES["prove-notification"]
        event = named(given.standing(story.facts, story.at)["prove-notification"])

        assert isinstance(event, ProposalAnswered)

    def test_the_end_of_the_circumstance_ends_the_question_about_it(self) -> None:
        story = RULES["confirm-circumstance"]
        event = named(given.standing(story.facts, story.at)["confirm-circumstance"])

        assert isinstance(event, CircumstanceChanged)
        assert (event.circumstance, event.state) == (
            Guard.ASYLUM_REQUEST_PENDING,
            CircumstanceState.ENDS,
        )

    def test_a_case_without_an_order_waits_for_an_answer(self) -> None:
        story = RULES["find-order"]
        event = named(given.standing(story.facts, story.at)["find-order"])

        assert isinstance(event, ProposalAnswered)

    def test_the_answer_is_to_the_round_that_is_raised(self) -> None:
        story = RULES["prove-notification"]
        first = given.decide(story.facts, story.at)
        due = given.raised(first)["prove-notification"].answer_by
        assert due is not None
        again = given.decide(story.facts, due, Announced().after(first))

        event = named(given.raised(again)["prove-notification"])

        assert isinstance(event, ProposalAnswered)
        assert event.round == 2


def is_made(judge: Judge, raised: EscalationRaised) -> bool:
    """Return whether the rule of a proposal holds under any version and nothing settles it."""
    if judge.situation.settlement(raised.addressed_to, UUID(raised.escalation_id)) is not None:
        return False
    one: Judge | None = judge
    while one is not None:
        rule = one.policy.rule(raised.rule_id)
        if rule is not None and not one.reasons_against(rule):
            return True
        one = one.earlier
    return False


def assert_it_would_end_each(
    facts: Sequence[Fact], now: datetime, announced: Announced, tables: Tables
) -> None:
    at, case = now.astimezone(UTC), given.case(*facts)
    decision = decide(case, announced, tables, at)
    judge = judge_of(case, announced, tables, at)
    if judge is None:
        return
    judgement = judge.judgement()
    for raised in given.raised(decision).values():
        answer = Answered(raised.escalation_id, raised.round, raised.addressed_to)
        first: tuple[type[Event], Mapping[str, Any]] | None = None
        for trial in trials(judge, judgement, [answer]):
            having = fold(case, [fact_of(trial, judge, decision.office_id)])
            tried = judge_of(having, announced, tables, at)
            assert tried is not None
            if not is_made(tried, raised):
                model, content = content_of(trial, judge, decision.office_id)
                first = model, in_codes(model, content)
                after = decide(
                    having,
                    Announced()._replace(known_since=announced.known_since, moves=announced.moves),
                    tables,
                    at,
                )
                assert raised.escalation_id not in {
                    one.escalation_id for one in given.raised(after).values()
                }
                break
        change = raised.evidence.change
        said = None if change is None else (EVENT_TYPES[change.event_type], change.data)
        assert said == first


LATER: Final = version("2026.3", MAY, silent(10), open_from=JUNE)


@pytest.mark.slow
class TestWhateverHappened:
    @drawn(histories(), instants(300))
    def test_it_is_the_first_fact_with_which_the_proposal_is_not_made(
        self, facts: list[Fact], at: datetime
    ) -> None:
        assert_it_would_end_each(facts, at, Announced(), given.ref().tables)

    @drawn(long_histories(), instants(300))
    def test_it_is_in_a_case_of_many_events(self, facts: list[Fact], at: datetime) -> None:
        assert_it_would_end_each(facts, at, Announced(), given.ref().tables)

    @drawn(histories(), instants(300))
    def test_it_is_in_a_case_under_two_versions_of_the_policy(
        self, facts: list[Fact], at: datetime
    ) -> None:
        assert_it_would_end_each(facts, at, Announced(), under(LATER).tables)
