"""What the open dead letters of a case may concern, and by when somebody must decide about them.

The brokers let one principal write to a topic, so a record that could not be applied can only have
reported what the producers of its topic may report. A letter on a topic that carries circumstances
alone makes these circumstances unknown. Any other letter may concern every fact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, NamedTuple

from schemas.codes import Guard
from streams.domain.clocks import Calendar

MAY_BE_REPORTED: Final = "an open dead letter may report it"
"""Reason for which a guard is unknown that an open dead letter may concern."""
_DECIDED_WITHIN: Final = 1
"""Working days in which somebody must decide about a dead letter, as IcamDeadLetterOverdue says."""


class OpenLetters(NamedTuple):
    """The open dead letters that name a case."""

    number: int
    since: datetime
    """When the oldest was recorded."""
    guards: frozenset[Guard] | None = None
    """The circumstances that they may concern; None if one may concern any fact."""

    def check_at(self, now: datetime, calendar: Calendar) -> datetime:
        """Return when the case is checked next: on the day by which somebody must decide.

        Once that day has passed, at the end of each working day. Always later than ``now``.
        """
        due = decide_by(min(self.since, now), calendar)
        if due > now:
            return due
        return calendar.end_of(calendar.this_or_next_working(calendar.local_date(now)))


def decide_by(since: datetime, calendar: Calendar) -> datetime:
    """Return by when somebody must decide about a letter: the end of the next working day."""
    return calendar.after_working_days(since, _DECIDED_WITHIN)


def open_letters(
    letters: Iterable[tuple[str, datetime]],
    concerned: Callable[[str], frozenset[Guard] | None],
) -> OpenLetters | None:
    """Return what letters concern, given the topic of each and when it was recorded.

    ``concerned`` returns the circumstances that a record of a topic can concern at most, or None
    for any fact. Without a letter, returns None.
    """
    known = list(letters)
    if not known:
        return None
    guards: frozenset[Guard] | None = frozenset()
    for topic in {topic for topic, _ in known}:
        found = concerned(topic)
        guards = None if guards is None or found is None else guards | found
    return OpenLetters(len(known), min(since for _, since in known), guards)
