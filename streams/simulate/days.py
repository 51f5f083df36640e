"""Belgian days: which are working days, and local wall-clock times as UTC instants.

Everything the generator says is in UTC, so that adding a duration is exact on the days when clocks
change; only drawing a time of day goes through local time.
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
    """Whether offices are open: Monday to Friday, not a Belgian public holiday."""
    return day.weekday() < _SATURDAY and day not in _closed(day.year)


def working_from(day: date) -> date:
    """Return the day itself when offices are open, else the next day on which they are."""
    while not is_working(day):
        day += timedelta(days=1)
    return day


def walk_in_from(day: date) -> date:
    """Return the first Wednesday from that day on at which the counter is open [DVZ-FAQ]."""
    while day.weekday() != WEDNESDAY or not is_working(day):
        day += timedelta(days=1)
    return day


def local_day(instant: datetime) -> date:
    """Return the Belgian calendar day of an instant."""
    return instant.astimezone(ZONE).date()


def at(day: date, minute: int) -> datetime:
    """Return the UTC instant of a local minute of the day, 0 to 1439."""
    return datetime.combine(day, time(minute // 60, minute % 60), ZONE).astimezone(UTC)
