"""Types for evaluating a guard: the input (GuardContext) and the result (GuardStatus).

A status gives its reason and the instants at which time alone will change it.
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
    """Terms set by the policy, in days. All except the appeal terms are inferred."""

    appeal_days: int
    appeal_days_in_custody: int
    residence_prospect_working_days: int


class GuardStatus(NamedTuple):
    """The state of one guard at an instant, and the reason for it.

    ``check`` is the same status as evidence. ``cleared_at`` is when the passing of time cleared the
    guard, or None if time played no part. ``changes_at`` are the future instants at which time
    alone changes the status. ``always_clear`` means that the guard is clear at every instant, so it
    neither blocks nor delays anything.
    """

    state: GuardState
    because: str
    check: GuardCheck
    cleared_at: datetime | None
    changes_at: tuple[datetime, ...]
    always_clear: bool


class GuardContext(NamedTuple):
    """Input of a guard's evaluation. ``today`` and ``notified_on`` are local days."""

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
        """Return the context of a situation at ``now``."""
        today, notified_on = map(calendar.local_date, (now, situation.order.notified_at))
        return cls(situation, calendar, terms, now, today, notified_on)


def term_end(situation: Situation, calendar: Calendar) -> datetime:
    """Return the end of the current order's departure term."""
    order = situation.order
    return departure_term_end(calendar, order.notified_at, order.departure_term_days)


def guard_status(
    guard: Guard,
    state: GuardState,
    because: str,
    cleared_at: datetime | None = None,
    changes_at: tuple[datetime, ...] = (),
) -> GuardStatus:
    """Return a status together with its evidence."""
    check = GuardCheck(guard=guard, state=state, because=because)
    always_clear = state is GuardState.CLEAR and cleared_at is None and not changes_at
    return GuardStatus(state, because, check, cleared_at, changes_at, always_clear)


def timeless_status(guard: Guard, active: bool, because: str) -> GuardStatus:
    """Return the status of a guard that does not depend on time."""
    return guard_status(guard, GuardState.ACTIVE if active else GuardState.CLEAR, because)
