"""When the follow-up resumes after pauses, and which days of a count they take."""

from __future__ import annotations

from datetime import datetime

import pytest

from schemas.codes import Guard
from streams.domain.judge import Judge
from streams.domain.pauses import Pausing, paused_days, resumed_at
from tests.domain.given import (
    TERM_END,
    circumstance,
    day,
    derive,
    ended,
    interview,
    order,
    ref,
    standing,
)

EXTENSION = Guard.EXTENSION_GRANTED


def pauses(*periods: tuple[datetime, datetime | None]) -> list[Pausing]:
    return [Pausing("detained", since, until) for since, until in periods]


@pytest.mark.parametrize(
    ("periods", "resumed"),
    [
        ([], None),
        ([(day(1), day(10))], day(10)),
        ([(day(1), day(10)), (day(5), day(20))], day(20)),
        ([(day(5), day(20)), (day(1), day(10))], day(20)),
        ([(day(1), day(30))], day(30)),  # it ends this moment
        ([(day(1), day(10)), (day(20), None)], None),
        ([(day(1), day(10)), (day(20), day(40))], None),
        ([(day(1), day(10)), (day(30), None)], None),  # another begins this moment
        ([(day(1), day(10)), (day(31), None)], day(10)),  # another lies ahead
        ([(day(-10), day(-2))], None),  # over before the notification
        ([(day(-10), day(0))], None),
        ([(day(-10), day(1))], day(1)),
        ([(day(10), day(10))], None),  # no time at all
        ([(day(12), day(10))], None),
    ],
)
def test_the_follow_up_resumes_when_the_last_pause_has_ended(
    periods: list[tuple[datetime, datetime | None]], resumed: datetime | None
) -> None:
    assert resumed_at(pauses(*periods), day(0), day(30)) == resumed


@pytest.mark.parametrize(
    ("periods", "days"),
    [
        ([], []),
        ([(day(1), day(3))], [(1, 3)]),
        ([(day(1), day(3, 0))], [(1, 2)]),  # the day that begins at its end is not touched
        ([(day(8), None)], [(8, 10)]),  # it goes on
        ([(day(12), None)], []),  # it lies ahead
        ([(day(10), None)], []),  # it begins this moment
        ([(day(-5), day(2))], [(0, 2)]),
        ([(day(-5), day(0))], []),
        ([(day(5), day(5))], []),
        ([(day(1), day(3)), (day(3), day(5))], [(1, 5)]),
        ([(day(3), day(5)), (day(1), day(3, 0))], [(1, 2), (3, 5)]),
        ([(day(1), day(3, 8)), (day(3), day(5))], [(1, 5)]),  # both touch the third day
        ([(day(1), day(9)), (day(2), day(3))], [(1, 9)]),
    ],
)
def test_a_pause_takes_every_day_that_it_touches_once(
    periods: list[tuple[datetime, datetime | None]], days: list[tuple[int, int]]
) -> None:
    found = paused_days(pauses(*periods), ref().calendar, day(0), day(10))
    assert found == [(day(first).date(), day(last).date()) for first, last in days]


def test_a_pause_that_ends_as_the_count_starts_is_no_part_of_it() -> None:
    facts = [
        order(),
        interview(),
        circumstance(EXTENSION, effective_at=day(10)),
        circumstance(EXTENSION, effective_at=day(40), ends=True),
        interview(9, held_at=day(40)),
    ]
    (step,) = [
        step
        for step in standing(facts, day(75))["silence"].evidence.clocks
        if step.clock == "last_step"
    ]
    assert (step.start, step.paused) == (day(40), ())


def test_a_pause_that_begins_as_the_count_ends_is_no_part_of_it() -> None:
    facts = [
        order(),
        circumstance(EXTENSION, effective_at=day(4, 0)),
        circumstance(EXTENSION, effective_at=day(8), ends=True),
    ]
    proposal = standing(facts, day(8))["give-first-date"]
    (step,) = [step for step in proposal.evidence.clocks if step.clock == "notified"]

    assert (step.due, step.paused) == (day(4, 0), ())


@pytest.mark.parametrize(
    ("until", "against"),
    [
        (None, "last_step + 20 working days: stopped by extension_granted"),
        (day(12), "last_step + 20 working days: not before "),
    ],
)
def test_a_count_says_what_stops_it_or_when_it_ends(until: datetime | None, against: str) -> None:
    facts = [order(), interview(), circumstance(EXTENSION, effective_at=day(5))]
    if until is not None:
        facts.append(circumstance(EXTENSION, effective_at=until, ends=True))
    silence = ref().policy.rule("silence")
    assert silence is not None
    (reason,) = Judge(derive(facts, day(20)), ref().policy, ref().calendar).reasons_against(silence)

    assert reason.startswith(against)


def test_an_ended_case_says_why_no_rule_stands() -> None:
    silence = ref().policy.rule("silence")
    assert silence is not None
    judge = Judge(derive([order(), ended(day(9))], TERM_END), ref().policy, ref().calendar)

    assert judge.reasons_against(silence) == ("the follow-up ended: left_voluntarily",)
