"""Recorded calendars, read from their text: by when somebody must decide about a dead letter."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from streams.audit.database import Snapshot

_DAY: Final = timedelta(days=1)
_UNKNOWN: Final = timedelta(days=7)
"""Limit for a case whose calendar is not recorded: more days in a row are never off."""


@dataclass(frozen=True, slots=True)
class AuditedCalendar:
    """One recorded calendar: its holidays, and the days from which midnight has another offset."""

    holidays: frozenset[date]
    offsets: tuple[tuple[date, timedelta], ...]

    def end_of_working_day(self, instant: datetime, *, later: bool) -> datetime:
        """Return the end of the first working day from an instant's day on, or after it."""
        day = (instant + self._offset(instant.astimezone(UTC).date())).astimezone(UTC).date()
        day += _DAY if later else timedelta(0)
        while day.weekday() >= 5 or day in self.holidays:
            day += _DAY
        return datetime.combine(day + _DAY, time.min, UTC) - self._offset(day + _DAY)

    def _offset(self, day: date) -> timedelta:
        index = bisect_right(self.offsets, day, key=lambda pair: pair[0]) - 1
        return self.offsets[max(0, index)][1] if self.offsets else timedelta(0)


Calendars = Mapping[str, AuditedCalendar]


def load(snapshot: Snapshot) -> Calendars:
    """Return every recorded calendar, by the first 32 characters of its digest."""
    rows = snapshot.rows("SELECT digest, body FROM reference_table WHERE kind = 'calendar'")
    return {digest[:32]: _parsed(body) for digest, body in rows}


def latest_check(
    calendars: Calendars, reference_digest: str | None, since: datetime, decided_at: datetime
) -> datetime:
    """Return by when a case with open dead letters, the oldest from ``since``, is checked again.

    That is the end of the working day after the oldest; once it has passed, the end of the working
    day of the last decision. The third quarter of a reference digest is that of its calendar.
    """
    calendar = calendars.get((reference_digest or "")[64:96])
    if calendar is None:
        return decided_at + _UNKNOWN
    due = calendar.end_of_working_day(min(since, decided_at), later=True)
    return due if due > decided_at else calendar.end_of_working_day(decided_at, later=False)


def _parsed(body: str) -> AuditedCalendar:
    holidays: set[date] = set()
    offsets: list[tuple[date, timedelta]] = []
    for line in body.splitlines():
        day, kind, *more = line.split()
        if kind == "holiday":
            holidays.add(date.fromisoformat(day))
        elif kind == "offset":
            hours, minutes, seconds = map(int, more[0].split(":"))
            offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
            offsets.append((date.fromisoformat(day), offset))
    return AuditedCalendar(frozenset(holidays), tuple(offsets))
