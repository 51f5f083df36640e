"""Compute deadlines in Belgian local time: working days, departure terms and appeal terms.

A term counted in days ends at local midnight, at the end of its last day. Sources (keys in
docs/domain.md): the departure term runs from notification and is in principle 30 days [AGII-TERM];
the appeal term is 30 days, or 10 in detention or in a return house; if its last day is a Saturday,
Sunday or holiday, it moves to the next working day [AGII-APP, AGII-ANN].
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache, partial
from hashlib import sha256
from itertools import filterfalse
from typing import Final, final

_CACHE_SIZE: Final = 4096
_NO_TIME: Final = timedelta()
_DAY: Final = timedelta(days=1)
_MOMENTS: Final = 16
_QUARTERS: Final = 32_768
"""Those of most of a year, about 4 MB."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working days of a country: Monday to Friday, except public holidays.

    ``days`` holds the proleptic ordinals of all working days in the covered years, ascending.
    ``version`` names where the holidays are from. ``body`` lists, a line each, the holidays from
    Monday to Friday and the days from which local midnight has another offset; ``digest`` is its
    SHA-256. So two calendars with the same digest end every term at the same instant.
    """

    zone: tzinfo
    days: tuple[int, ...]
    version: str = ""
    body: str = field(init=False, repr=False, compare=False)
    digest: str = field(init=False, repr=False, compare=False)
    _end_after: Callable[[date, int], datetime] = field(init=False, repr=False, compare=False)
    """End of a count of working days without pauses. Cached: many cases share the same days."""
    _day_of: Callable[[int], date] = field(init=False, repr=False, compare=False)
    """Local day of a quarter of an hour, counted from day 0 of the calendar in UTC. Cached."""
    moment: Callable[[datetime], Moment] = field(init=False, repr=False, compare=False)
    """Return an instant to compare others with. Cached: many cases are decided at the same one."""
    _appeal_last: Callable[[date, int], date] = field(init=False, repr=False, compare=False)
    """Last day of an appeal term. Cached: every decision asks, and many cases share the same."""

    def __post_init__(self) -> None:
        day_of = lru_cache(maxsize=_QUARTERS)(self._day_of_quarter)
        object.__setattr__(self, "_day_of", day_of)
        cached = lru_cache(maxsize=_CACHE_SIZE)(self._end_of_count)
        object.__setattr__(self, "_end_after", cached)
        appeal_last = lru_cache(maxsize=_CACHE_SIZE)(self._end_of_appeal)
        object.__setattr__(self, "_appeal_last", appeal_last)
        moment = lru_cache(maxsize=_MOMENTS)(partial(Moment, calendar=self))
        object.__setattr__(self, "moment", moment)
        body = "".join(f"{line}\n" for line in self._lines())
        object.__setattr__(self, "body", body)
        object.__setattr__(self, "digest", sha256(body.encode()).hexdigest())

    def _lines(self) -> list[str]:
        lines: list[str] = []
        working = frozenset(self.days)
        offset: timedelta | None = None
        for ordinal in range(self.days[0], self.days[-1] + 1):
            day = date.fromordinal(ordinal)
            if ordinal not in working and day.weekday() < 5:
                lines.append(f"{day} holiday")
            before = offset
            offset = datetime.combine(day, time.min, self.zone).utcoffset()
            if offset != before:
                lines.append(f"{day} offset {offset}")
        return lines

    @classmethod
    def of(
        cls, zone: tzinfo, holidays: Iterable[date], first: int, last: int, version: str = ""
    ) -> Calendar:
        """Build the calendar for the years ``first`` to ``last``, both included."""
        closed = {day.toordinal() for day in holidays}
        days = range(date(first, 1, 1).toordinal(), date(last, 12, 31).toordinal() + 1)
        weekdays = (day for day in days if (day + 6) % 7 < 5)
        return cls(zone, tuple(filterfalse(closed.__contains__, weekdays)), version)

    def local(self, instant: datetime) -> datetime:
        """Return an instant in local time. Two local times are compared without their offsets."""
        return instant.astimezone(self.zone)

    def local_date(self, instant: datetime) -> date:
        """Return the local calendar day of an instant."""
        if instant.tzinfo is self.zone:
            return instant.date()
        if instant.tzinfo is UTC:
            # A zone's offset is a multiple of a quarter of an hour, so a quarter has one local day.
            quarter = instant.hour * 4 + instant.minute // 15
            return self._day_of(instant.toordinal() * 96 + quarter)
        return instant.astimezone(self.zone).date()

    def _day_of_quarter(self, number: int) -> date:
        day, quarter = divmod(number, 96)
        hour, minute = divmod(quarter * 15, 60)
        start = datetime.combine(date.fromordinal(day), time(hour, minute), UTC)
        return start.astimezone(self.zone).date()

    def start_of(self, day: date) -> datetime:
        """Return local midnight at the start of a day."""
        return midnight(day, self.zone)

    def end_of(self, day: date) -> datetime:
        """Return local midnight at the end of a day."""
        return self.start_of(day + _DAY)

    def end_of_week(self, day: date) -> datetime:
        """Return local midnight at the end of the Sunday of a day's week."""
        return self.end_of(day + timedelta(days=6 - day.weekday()))

    def is_working(self, day: date) -> bool:
        """Return whether a day is a working day."""
        index = bisect_left(self.days, day.toordinal())
        return index < len(self.days) and self.days[index] == day.toordinal()

    def this_or_next_working(self, day: date) -> date:
        """Return the day itself if it is a working day, else the next working day."""
        return date.fromordinal(self.days[bisect_left(self.days, day.toordinal())])

    def appeal_term_last(self, notified_on: date, days: int) -> date:
        """Return the last day of the appeal term; the term ends when that day ends."""
        return self._appeal_last(notified_on, days)

    def _end_of_appeal(self, notified_on: date, days: int) -> date:
        return self.this_or_next_working(notified_on + timedelta(days=days))

    def last_day_before(self, instant: datetime) -> date:
        """Return the local day that contains the moment before ``instant``."""
        local = self.local(instant)
        return local.date() - _DAY if local.time() == time.min else local.date()

    def after_working_days(
        self, instant: datetime, count: int, paused: Sequence[tuple[date, date]] = ()
    ) -> datetime:
        """Return the end of the ``count``-th working day after the day of ``instant``.

        Days in ``paused``, disjoint ranges in ascending order, are not counted.
        """
        start = self.local_date(instant)
        if count == 0:
            return self.end_of(start)
        if not paused:
            return self._end_after(start, count)
        return self._end_of_count(start, count, paused)

    def _end_of_count(
        self, start: date, count: int, paused: Sequence[tuple[date, date]] = ()
    ) -> datetime:
        days, after = self.days, start.toordinal() + 1
        index = bisect_left(days, after) + count - 1
        for first, last in paused:
            skipped = bisect_left(days, max(first.toordinal(), after))
            if skipped > index:
                break
            index += max(0, bisect_right(days, last.toordinal()) - skipped)
        return self.start_of(date.fromordinal(days[index] + 1))

    def working_day_before(self, instant: datetime) -> datetime:
        """Return the same time of day, one working day earlier.

        On a day that is not a working day, return the start of the previous working day: anything
        received since then has not yet waited a whole working day.
        """
        day = self.local_date(instant)
        index = bisect_left(self.days, day.toordinal())
        before = date.fromordinal(self.days[index - 1])
        if not self.is_working(day):
            return self.start_of(before)
        return datetime.combine(before, self.local(instant).time(), self.zone)

    def after_days(self, instant: datetime, count: int) -> datetime:
        """Return the end of the ``count``-th calendar day after the day of ``instant``."""
        return self.end_of(self.local_date(instant) + duration(count))


@final
class Moment:
    """An instant in UTC and in local time, which later and earlier instants are compared with.

    Python compares two times of one zone as they are. Of two zones it asks for their offsets, which
    costs eighty times as much. The local times of the domain are midnights: no clock shows one
    twice.
    """

    utc: Final[datetime]
    local: Final[datetime]
    zone: Final[tzinfo]

    def __init__(self, instant: datetime, calendar: Calendar) -> None:
        self.utc = instant
        self.local = calendar.local(instant)
        self.zone = calendar.zone

    def is_before(self, instant: datetime) -> bool:
        """Return whether ``instant`` is later than this moment."""
        return instant > (self.local if instant.tzinfo is self.zone else self.utc)


@final
class Agenda:
    """The first of the coming instants at which to look again, and its reason, in codes.

    Of two at the same instant, the reason that sorts first is kept. Local times and others are
    kept apart until the end, because comparing the two is slow: see ``Moment``.
    """

    def __init__(self, now: Moment) -> None:
        self._now: Final = now
        self._local: datetime | None = None
        self._local_reason = ""
        self._other: datetime | None = None
        self._other_reason = ""

    def add(self, at: datetime, kind: str, name: str = "") -> None:
        """Add an instant, unless it has passed. The reason is ``kind`` or ``kind:name``."""
        now = self._now
        if at.tzinfo is now.zone:
            first = self._local
            if at > now.local and (first is None or at <= first):
                reason = f"{kind}:{name}" if name else kind
                if first is None or at < first or reason < self._local_reason:
                    self._local, self._local_reason = at, reason
        else:
            first = self._other
            if at > now.utc and (first is None or at <= first):
                reason = f"{kind}:{name}" if name else kind
                if first is None or at < first or reason < self._other_reason:
                    self._other, self._other_reason = at, reason

    def add_all(self, instants: Sequence[datetime], kind: str) -> None:
        """Add several instants with the same reason."""
        now = self._now
        utc, local, zone = now.utc, now.local, now.zone
        for at in instants:
            if at > (local if at.tzinfo is zone else utc):
                self.add(at, kind)

    def first(self) -> tuple[datetime | None, str]:
        """Return the first instant and its reason; None and an empty reason without one."""
        local, other = self._local, self._other
        if other is None:
            return local, self._local_reason
        if local is None:
            return other, self._other_reason
        ahead = other - local
        if ahead > _NO_TIME:
            return local, self._local_reason
        if ahead < _NO_TIME:
            return other, self._other_reason
        return other, min(self._local_reason, self._other_reason)


def latest(instants: Sequence[datetime], zone: tzinfo) -> datetime:
    """Return ``max(instants)``, with as few comparisons as possible of local times and others."""
    others = [at for at in instants if at.tzinfo is not zone]
    if not others or len(others) == len(instants):
        return max(instants)
    local, other = max([at for at in instants if at.tzinfo is zone]), max(others)
    ahead = other - local
    if not ahead:
        return max(instants)
    return other if ahead > _NO_TIME else local


@lru_cache(maxsize=_CACHE_SIZE)
def duration(days: int) -> timedelta:
    """Return a duration. Cached: policies name few, and every decision asks for some of them."""
    return timedelta(days=days)


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return local midnight at the start of a day."""
    return datetime.combine(day, time.min, zone)


def departure_term_end(calendar: Calendar, notified_at: datetime, days: int) -> datetime:
    """Return the end of the term for voluntary departure; 0 days end at notification."""
    return notified_at if days == 0 else calendar.after_days(notified_at, days)
