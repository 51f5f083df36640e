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
class PolicyTerms:
    """Dated terms of the policy, in days. All but the appeal terms are inferred."""

    appeal_days: int
    appeal_days_in_custody: int
    residence_prospect_working_days: int


class GuardStatus(NamedTuple):
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


class GuardContext(NamedTuple):
    """What a guard is read from. ``today`` and ``notified_on`` are local days."""

    situation: Situation
    calendar: Calendar
    terms: PolicyTerms
    now: datetime
    today: date
    notified_on: date

    @classmethod
    def of(
        cls, situation: Situation, calendar: Calendar, terms: PolicyTerms, now: datetime
    ) -> GuardContext:
        """Return the moment ``now`` of a situation."""
        today, notified_on = map(calendar.local_date, (now, situation.order.notified_at))
        return cls(situation, calendar, terms, now, today, notified_on)


def term_end(situation: Situation, calendar: Calendar) -> datetime:
    """Return when the departure term of the current order has run out."""
    order = situation.order
    return departure_term_end(calendar, order.notified_at, order.departure_term_days)


def guard_status(
    guard: Guard,
    state: GuardState,
    because: str,
    cleared_at: datetime | None = None,
    changes_at: tuple[datetime, ...] = (),
) -> GuardStatus:
    """Return a reading, with the same said as evidence."""
    check = GuardCheck(guard=guard, state=state, because=because)
    idle = state is GuardState.CLEAR and cleared_at is None and not changes_at
    return GuardStatus(state, because, check, cleared_at, changes_at, idle)


def timeless_status(guard: Guard, active: bool, because: str) -> GuardStatus:
    """Return the reading of a guard that time plays no part in."""
    return guard_status(guard, GuardState.ACTIVE if active else GuardState.CLEAR, because)
