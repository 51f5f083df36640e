"""When what falls due: working days, departure and appeal terms. Belgian local time throughout.

A term that is counted in days ends at local midnight, at the end of its last day. Sources: the
departure term runs from notification, 30 days in principle [AGII-TERM]; the appeal term is 30 days,
10 when detained or in a return house, and a last day on a Saturday, Sunday or holiday moves to the
next working day [AGII-APP, AGII-ANN] (keys: docs/domain.md).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import filterfalse


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working days of a country: Monday to Friday, less its public holidays.

    ``days`` are the proleptic ordinals of all working days of the years covered, ascending.
    """

    zone: tzinfo
    days: tuple[int, ...]

    @classmethod
    def of(cls, zone: tzinfo, holidays: Iterable[date], first: int, last: int) -> Calendar:
        """Build the calendar of the years ``first`` to ``last``, both included."""
        closed = {day.toordinal() for day in holidays}
        span = range(date(first, 1, 1).toordinal(), date(last, 12, 31).toordinal() + 1)
        weekdays = (day for day in span if (day + 6) % 7 < 5)
        return cls(zone, tuple(filterfalse(closed.__contains__, weekdays)))

    def local(self, instant: datetime) -> datetime:
        """Return an instant on the local clock; two such are compared without their offsets."""
        return instant.astimezone(self.zone)

    def local_date(self, instant: datetime) -> date:
        """Return the local calendar day of an instant."""
        return instant.astimezone(self.zone).date()

    def start_of(self, day: date) -> datetime:
        """Return local midnight at the start of a day."""
        return midnight(day, self.zone)

    def end_of(self, day: date) -> datetime:
        """Return local midnight at the end of a day."""
        return self.start_of(day + timedelta(days=1))

    def is_working(self, day: date) -> bool:
        """Whether offices are open on that day."""
        at = bisect_left(self.days, day.toordinal())
        return at < len(self.days) and self.days[at] == day.toordinal()

    def this_or_next_working(self, day: date) -> date:
        """Return the day itself when it is a working day, else the next one."""
        return date.fromordinal(self.days[bisect_left(self.days, day.toordinal())])

    def after_working_days(self, instant: datetime, count: int) -> datetime:
        """Return the end of the ``count``-th working day after the day of ``instant``."""
        start = self.local_date(instant)
        if count == 0:
            return self.end_of(start)
        at = bisect_right(self.days, start.toordinal()) + count - 1
        return self.start_of(date.fromordinal(self.days[at] + 1))

    def working_day_before(self, instant: datetime) -> datetime:
        """Return the same time of day, one working day earlier.

        Of a day without work it is the start of the last working day before: what came in then,
        or later, has not waited through a whole one.
        """
        day = self.local_date(instant)
        at = bisect_left(self.days, day.toordinal())
        before = date.fromordinal(self.days[at - 1])
        if not self.is_working(day):
            return self.start_of(before)
        return datetime.combine(before, self.local(instant).time(), self.zone)

    def after_days(self, instant: datetime, count: int) -> datetime:
        """Return the end of the ``count``-th calendar day after the day of ``instant``."""
        return self.end_of(self.local_date(instant) + timedelta(days=count))


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return local midnight at the start of a day."""
    return datetime.combine(day, time.min, zone)


def departure_term_end(calendar: Calendar, notified_at: datetime, days: int) -> datetime:
    """Return when the term for voluntary departure has run out; a term of 0 days has at once."""
    return notified_at if days == 0 else calendar.after_days(notified_at, days)


def appeal_term_last(calendar: Calendar, notified_on: date, days: int) -> date:
    """Return the last day for an appeal: the term has run out when it ends."""
    return calendar.this_or_next_working(notified_on + timedelta(days=days))
