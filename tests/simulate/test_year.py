"""A simulated year: every open case has a next date, and what offices answer is settled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from streams import reference
from streams.simulate import days
from streams.simulate.settings import SimulationSettings
from streams.simulate.year.months import Month
from streams.simulate.year.play import play

pytestmark = pytest.mark.slow

COUNSELLORS = 85
END = datetime(2027, 1, 1, tzinfo=UTC)


def months(
    *, scale: float, length: int, answers: bool = True, seed: int = 1, end: datetime = END
) -> tuple[Month, ...]:
    loaded = reference.load()
    settings = SimulationSettings(
        seed=seed, scale=scale, start=end - timedelta(days=length), end=end
    )
    rules = loaded.tables
    return tuple(play(settings, rules, counsellors=COUNSELLORS, answers=answers))


@cache
def answered() -> Sequence[Month]:
    return months(scale=0.02, length=150)


@cache
def unanswered() -> Sequence[Month]:
    return months(scale=0.02, length=150, answers=False)


def test_equal_settings_give_an_equal_year_and_another_seed_another_one() -> None:
    short = months(scale=0.01, length=50)
    assert short == months(scale=0.01, length=50)
    assert short != months(scale=0.01, length=50, seed=2)


@pytest.mark.parametrize(
    ("end", "last"),
    [
        (datetime(2026, 4, 1, tzinfo=UTC), "2026-03-31"),
        (datetime(2026, 3, 31, 12, tzinfo=UTC), "2026-03-31"),
        (datetime(2026, 3, 15, tzinfo=UTC), "2026-03-15"),
    ],
)
def test_a_year_has_one_line_per_month_and_one_for_its_own_end(end: datetime, last: str) -> None:
    found = [month.day.isoformat() for month in months(scale=0.005, length=70, end=end)]
    assert found[-1] == last
    assert found[-2] == "2026-02-28"
    assert len(found) == len(set(found))


def test_every_open_case_has_a_next_date() -> None:
    for month in (*answered(), *unanswered()):
        assert month.open > 0
        assert month.without_next_date == 0


def test_offices_that_answer_keep_few_proposals_standing_and_none_for_long() -> None:
    for month in answered()[1:]:
        assert month.share_proposed <= 0.20
        assert month.per_counsellor <= 12
        assert month.median_age_days <= 10


def test_without_answers_the_proposals_of_a_case_stay_bounded() -> None:
    groups = len({rule.group for rule in reference.load().policy.rules})
    for month in unanswered():
        assert month.most_on_one_case <= groups / 3
        assert month.per_open_case <= 1.5


def test_answers_settle_proposals_and_end_cases() -> None:
    with_answers, without = answered()[-1], unanswered()[-1]
    assert with_answers.proposals < without.proposals / 3
    assert with_answers.median_age_days < without.median_age_days / 3
    assert with_answers.ended > without.ended
    assert with_answers.open < without.open


def test_each_day_is_reported_once_for_progress() -> None:
    loaded = reference.load()
    rules = loaded.tables
    start = datetime(2026, 1, 5, tzinfo=UTC)
    settings = SimulationSettings(scale=0.1, start=start, end=start + timedelta(days=20))
    seen: list[datetime] = []
    for _ in play(settings, rules, counsellors=COUNSELLORS, on_day=seen.append):
        pass
    found = [days.local_day(day) for day in seen]
    assert found == sorted(set(found))
    assert len(found) >= 14


@pytest.mark.slow
def test_a_year_of_a_tenth_of_belgium_meets_the_figures_at_every_months_end() -> None:
    """At scale 0.1 some 8 counsellors follow the cases: chance moves the figures by a tenth."""
    for month in months(scale=0.1, length=365):
        assert month.without_next_date == 0
        assert month.share_proposed <= 0.20, month.day
        assert month.per_counsellor <= 12 * 1.1, month.day
        assert month.median_age_days <= 10, month.day
