"""What it is to read a guard: from which moment, and what is found.

Each guard is read from the situation at an instant. A reading says why, and when time alone will
change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from schemas.outcomes import GuardCheck, GuardState
from schemas.types import Guard
from streams.domain.clocks import Calendar, departure_term_end
from streams.domain.situation import Situation


@dataclass(frozen=True, slots=True)
class Terms:
    """Dated terms of the policy, in days. All but the appeal terms are inferred."""

    appeal_days: int
    appeal_days_in_custody: int
    residence_prospect_working_days: int


class Reading(NamedTuple):
    """One guard as read: its state, why, and the instants to come at which time alone changes it.

    ``check`` says the same as evidence. ``cleared_at`` is when the passing of time lifted the
    guard; None when time played no part. A reading is ``idle`` when it is clear whatever the time:
    it neither blocks nor delays anything.
    """

    state: GuardState
    because: str
    check: GuardCheck
    cleared_at: datetime | None
    changes_at: tuple[datetime, ...]
    idle: bool


class Moment(NamedTuple):
    """What a guard is read from. ``today`` and ``notified_on`` are local days."""

    situation: Situation
    calendar: Calendar
    terms: Terms
    now: datetime
    today: date
    notified_on: date

    @classmethod
    def of(cls, situation: Situation, calendar: Calendar, terms: Terms, now: datetime) -> Moment:
        """Return the moment ``now`` of a situation."""
        today, notified_on = map(calendar.local_date, (now, situation.order.notified_at))
        return cls(situation, calendar, terms, now, today, notified_on)


def term_end(situation: Situation, calendar: Calendar) -> datetime:
    """Return when the departure term of the current order has run out."""
    order = situation.order
    return departure_term_end(calendar, order.notified_at, order.departure_term_days)


def found(
    guard: Guard,
    state: GuardState,
    because: str,
    cleared_at: datetime | None = None,
    changes_at: tuple[datetime, ...] = (),
) -> Reading:
    """Return a reading, with the same said as evidence."""
    check = GuardCheck(guard=guard, state=state, because=because)
    idle = state is GuardState.CLEAR and cleared_at is None and not changes_at
    return Reading(state, because, check, cleared_at, changes_at, idle)


def flag(guard: Guard, active: bool, because: str) -> Reading:
    """Return the reading of a guard that time plays no part in."""
    return found(guard, GuardState.ACTIVE if active else GuardState.CLEAR, because)
