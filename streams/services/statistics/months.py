"""Calendar months, written as ``2026-03``."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

MOST: Final = 120
"""Longest period of a report, in months."""


def first_day(month: str) -> date:
    """Return the first day of a month.

    Raises:
        ValueError: this is not a month such as ``2026-03``.
    """
    year, dash, number = month.partition("-")
    if dash != "-" or len(year) != 4 or len(number) != 2 or not (year + number).isdecimal():
        raise ValueError(f"{month!r} is not a month such as 2026-03")
    return date(int(year), int(number), 1)


def of(day: date) -> str:
    """Return the month of a day."""
    return f"{day:%Y-%m}"


def after(month: str, months: int = 1) -> str:
    """Return the month that lies so many months after another; before it if negative."""
    first = first_day(month)
    year, index = divmod(first.year * 12 + first.month - 1 + months, 12)
    return f"{year:04}-{index + 1:02}"


def last_day(month: str) -> date:
    """Return the last day of a month."""
    return first_day(after(month)) - timedelta(days=1)


def between(first: str, last: str) -> tuple[str, ...]:
    """Return the months from one to another, both included; none if the last lies before."""
    found = []
    month = first
    while month <= last:
        found.append(month)
        month = after(month)
    return tuple(found)
