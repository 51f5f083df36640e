"""The line that covers a postcode: found once for each period, and right on every day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.directory.model import Assignment, Directory, Span
from tests.domain.given import ref


@pytest.fixture(scope="module")
def directory() -> Directory:
    """Return the shipped directory with two more lines, valid for a while before all others."""
    shipped = ref().directory
    own = next(line for line in shipped.coverage if line.province == "BE-VOV")
    spring, april = Span(date(2026, 3, 10), date(2026, 5, 20)), Span(date(2026, 4, 1))
    other = replace(own, office_ids=("antwerpen",), span=spring)
    finer = replace(own, province="", ranges=((9000, 9099),), office_ids=("liege",), span=april)
    return replace(shipped, coverage=(other, finer, *shipped.coverage))


def applies(directory: Directory, line: Assignment, day: date) -> bool:
    return line.span.includes(day) and bool(directory.offices_of(line, day))


def searched(
    directory: Directory, postcode: int, province: str, day: date, *, fallback: bool
) -> Assignment | None:
    lines = directory.fallback if fallback else directory.coverage
    valid = [line for line in lines if applies(directory, line, day)]
    finer = [line for line in valid if any(a <= postcode <= b for a, b in line.ranges)]
    coarser = [line for line in valid if line.province == province]
    return next(iter([*finer, *coarser]), None)


@given(
    st.lists(
        st.tuples(
            st.integers(1000, 9999) | st.sampled_from([9000, 9099, 9100]),
            st.integers(-400, 400),
            st.booleans(),
        ),
        min_size=1,
    )
)
def test_a_line_found_once_is_the_one_that_applies_on_the_day(
    directory: Directory, questions: list[tuple[int, int, bool]]
) -> None:
    for postcode, days, fallback in questions:
        day = date(2026, 4, 15) + timedelta(days=days)
        province = directory.province_of(postcode, day)
        if province is not None:
            found = directory.line_for(postcode, province, day, fallback=fallback)
            assert found is searched(directory, postcode, province, day, fallback=fallback)
