"""Belgian working days, and conversion between local time and UTC.

The generator calculates in UTC, so that adding a duration is exact when the clocks change. Local
time is used only to draw a time of day.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays

ZONE: Final = ZoneInfo("Europe/Brussels")
WEDNESDAY: Final = 2
_SATURDAY: Final = 5


@cache
def _closed(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("BE", years=year))


def is_working(day: date) -> bool:
    """Return whether offices are open: Monday to Friday, except Belgian public holidays."""
    return day.weekday() < _SATURDAY and day not in _closed(day.year)


def working_from(day: date) -> date:
    """Return the first working day from ``day`` on, including ``day``."""
    while not is_working(day):
        day += timedelta(days=1)
    return day


def after_working(day: date, count: int) -> date:
    """Return the ``count``-th working day after ``day``; for 0 the first one from ``day`` on."""
    day = working_from(day)
    for _ in range(count):
        day = working_from(day + timedelta(days=1))
    return day


def walk_in_from(day: date) -> date:
    """Return the first Wednesday from ``day`` on with the counter open [DVZ-FAQ]."""
    while day.weekday() != WEDNESDAY or not is_working(day):
        day += timedelta(days=1)
    return day


def local_day(instant: datetime) -> date:
    """Return the Belgian calendar day of an instant."""
    return instant.astimezone(ZONE).date()


def at(day: date, minute: int) -> datetime:
    """Return the UTC instant of a local minute of the day, 0 to 1439."""
    return datetime.combine(day, time(minute // 60, minute % 60), ZONE).astimezone(UTC)
