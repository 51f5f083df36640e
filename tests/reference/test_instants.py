"""Instants as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streams.reference.instants import NotAnInstant, read_instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-05", datetime(2026, 3, 4, 23, tzinfo=UTC)),
        ("2026-07-05T14:30", datetime(2026, 7, 5, 12, 30, tzinfo=UTC)),
        ("2026-07-05 14:30", datetime(2026, 7, 5, 12, 30, tzinfo=UTC)),
        ("2026-07-05T14:30Z", datetime(2026, 7, 5, 14, 30, tzinfo=UTC)),
        ("2026-07-05T14:30-05:00", datetime(2026, 7, 5, 19, 30, tzinfo=UTC)),
    ],
)
def test_a_day_is_its_start_and_a_time_without_an_offset_is_in_brussels(
    text: str, instant: datetime
) -> None:
    assert read_instant(text) == instant


@pytest.mark.parametrize("text", ["", "yesterday", "5/3/2026", "2026-02-30", "0001-01-01"])
def test_what_is_no_instant_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(NotAnInstant, match="such as 2026-03-05"):
        read_instant(text)
