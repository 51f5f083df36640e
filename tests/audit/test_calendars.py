"""The audit's reading of a calendar agrees with that of the pipeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from streams.audit import calendars
from streams.domain.letters import OpenLetters
from tests.domain.given import ref

_DIGEST = f"{'0' * 64}{ref().calendar.digest[:32]}{'0' * 64}"
START = datetime(2026, 3, 20, 10, 30, tzinfo=UTC)
"""Before the clocks change on 29 March, and before Easter Monday, 6 April."""


@pytest.mark.parametrize("hours", range(0, 24 * 30, 7))
@pytest.mark.parametrize("age", [-1, 0, 12, 24, 36, 72, 500])
def test_the_latest_check_of_a_blocked_case_is_the_one_that_the_pipeline_plans(
    hours: int, age: int
) -> None:
    calendar = ref().calendar
    known = {calendar.digest[:32]: calendars._parsed(calendar.body)}
    decided = START + timedelta(hours=hours)
    since = decided - timedelta(hours=age)

    latest = calendars.latest_check(known, _DIGEST, since, decided)

    assert latest == OpenLetters(1, since).check_at(decided, calendar)


def test_without_its_calendar_a_case_is_checked_within_a_week() -> None:
    latest = calendars.latest_check({}, _DIGEST, START, START)
    assert latest == START + timedelta(days=7)
