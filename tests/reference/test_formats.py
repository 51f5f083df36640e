"""Dates and lists are written as in Belgium, in four languages."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from streams.domain.policy.rules import LANGUAGES
from streams.reference.formats import BabelFormats

FORMATS = BabelFormats()


@pytest.mark.parametrize(
    ("language", "fifth", "first"),
    [
        ("fr", "5 août 2026", "1er août 2026"),
        ("nl", "5 augustus 2026", "1 augustus 2026"),
        ("de", "5. August 2026", "1. August 2026"),
        ("en", "5 August 2026", "1 August 2026"),
    ],
)
def test_a_day_has_its_month_in_letters(language: str, fifth: str, first: str) -> None:
    assert FORMATS.day(date(2026, 8, 5), language) == fifth
    assert FORMATS.day(date(2026, 8, 1), language) == first
    assert FORMATS.day(date(2026, 8, 31), language).startswith("31")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_time_has_hours_and_minutes_of_a_day_of_24_hours(language: str) -> None:
    assert FORMATS.time(datetime(2026, 8, 5, 15, 7), language) == "15:07"  # noqa: DTZ001 - local


@pytest.mark.parametrize(
    ("language", "every", "one"),
    [
        ("fr", "a, b et c", "a, b ou c"),
        ("nl", "a, b en c", "a, b of c"),
        ("de", "a, b und c", "a, b oder c"),
        ("en", "a, b and c", "a, b or c"),
    ],
)
def test_a_list_is_joined_by_and_or_by_or(language: str, every: str, one: str) -> None:
    assert FORMATS.all_of(["a", "b", "c"], language) == every
    assert FORMATS.any_of(["a", "b", "c"], language) == one
    assert FORMATS.any_of(["a"], language) == "a"


@pytest.mark.parametrize(
    ("language", "month", "short", "number"),
    [
        ("fr", "août 2026", "août", "−12\u202f500"),
        ("nl", "augustus 2026", "aug", "−12.500"),
        ("de", "August 2026", "Aug", "−12.500"),
        ("en", "August 2026", "Aug", "−12,500"),
    ],
)
def test_months_and_numbers_are_written_as_in_belgium(
    language: str, month: str, short: str, number: str
) -> None:
    assert FORMATS.month(date(2026, 8, 5), language) == month
    assert FORMATS.short_month(date(2026, 8, 5), language).rstrip(".") == short
    assert FORMATS.number(-12500, language) == number
    assert FORMATS.number(0, language) == "0"
