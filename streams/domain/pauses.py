"""Compute the periods whose days do not run, from facts and their times, never from remainders.

A late fact recomputes the past. After a pause the first step is an invitation.
"""

from __future__ import annotations

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
    for pause in pauses:
        until = max(now, pause.since) if pause.until is None else pause.until
        if until > start and until > pause.since:
            last = calendar.last_day_before(until)
            ranges.append((calendar.local_date(max(start, pause.since)), last))
    ranges.sort()
    merged: list[tuple[date, date]] = []
    for first, last in ranges:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
