"""Compute the periods whose days do not run, from facts and their times, never from remainders.

A late fact recomputes the past. After a pause the first step is an invitation.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final, final

from streams.domain.clocks import Calendar

DETAINED = "detained"
"""Cause of a pause during detention."""
END_DUE = "end_due"
"""Cause of a pause from a fact that should end the follow-up until an official answers."""


@final
class Pausing:
    """A period that pauses; ``until`` None means that it goes on."""

    cause: Final[str]
    since: Final[datetime]
    until: Final[datetime | None]

    def __init__(self, cause: str, since: datetime, until: datetime | None) -> None:
        self.cause = cause
        self.since = since
        self.until = until

    def covers(self, instant: datetime) -> bool:
        """Return whether an instant falls into the period."""
        return self.since <= instant and (self.until is None or instant < self.until)


@final
class Paused:
    """Several periods that pause, prepared to ask about many instants."""

    def __init__(self, pauses: Sequence[Pausing]) -> None:
        self._few: Final = pauses if len(pauses) <= _FEW else ()
        self._since: Final[list[datetime]] = []
        self._until: Final[list[datetime | None]] = []
        if len(pauses) > _FEW:
            self._merge(pauses)

    def _merge(self, pauses: Sequence[Pausing]) -> None:
        for pause in sorted(pauses, key=lambda one: one.since):
            if self._until:
                last = self._until[-1]
                if last is None:
                    break
                if pause.since <= last:
                    if pause.until is None or pause.until > last:
                        self._until[-1] = pause.until
                    continue
            self._since.append(pause.since)
            self._until.append(pause.until)

    def covers(self, instant: datetime) -> bool:
        """Return whether an instant falls into one of the periods."""
        for pause in self._few:
            if pause.covers(instant):
                return True
        place = bisect_right(self._since, instant) - 1
        if place < 0:
            return False
        until = self._until[place]
        return until is None or instant < until


_FEW: Final = 4
"""Periods of which it costs less to look at each than to put them in order."""


def resumed_at(pauses: Sequence[Pausing], since: datetime, now: datetime) -> datetime | None:
    """Return when the last pause after ``since`` ended; None while one goes on."""
    ended: datetime | None = None
    for pause in pauses:
        if pause.until is None or pause.until > now:
            if pause.since <= now:
                return None
        elif pause.until > max(since, pause.since) and (ended is None or pause.until > ended):
            ended = pause.until
    return ended


def paused_days(
    pauses: Iterable[Pausing], calendar: Calendar, start: datetime, now: datetime
) -> Sequence[tuple[date, date]]:
    """Return the local days that pauses touch since ``start``, as disjoint ascending ranges.

    A pause that goes on is counted up to ``now``.
    """
    ranges = []
    going_on: datetime | None = None
    for pause in pauses:
        until = pause.until
        if until is None:
            # Of several that go on, the first touches the days of all.
            if pause.since < now and (going_on is None or pause.since < going_on):
                going_on = pause.since
        elif until > start and until > pause.since:
            last = calendar.last_day_before(until)
            ranges.append((calendar.local_date(max(start, pause.since)), last))
    if going_on is not None and now > start:
        last = calendar.last_day_before(now)
        ranges.append((calendar.local_date(max(start, going_on)), last))
    ranges.sort()
    merged: list[tuple[date, date]] = []
    for first, last in ranges:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
