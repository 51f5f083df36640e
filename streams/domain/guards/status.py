"""Types for evaluating a guard: the input (GuardContext) and the result (GuardStatus).

A status gives its reason, what was reported, and the instants at which time alone will change it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, final

from schemas.codes import Guard
from schemas.events import OqtIssued
from schemas.outcomes import GuardCheck, GuardReport, GuardState
from schemas.types import unvalidated
from streams.domain.clocks import Calendar, departure_term_end
from streams.domain.situation import Situation
from streams.domain.terms import PolicyTerms

_guard_check: Final = unvalidated(GuardCheck)


@final
class GuardStatus:
    """The state of one guard at an instant, and the reason for it.

    ``check`` is the same status as evidence; its ``report`` says what was reported. ``cleared_at``
    is when the passing of time cleared the guard, or None if time played no part. ``changes_at``
    are the future instants at which time alone changes the status. ``always_clear`` means that the
    guard is clear at every instant, so it neither blocks nor delays anything.
    """

    state: Final[GuardState]
    because: Final[str]
    check: Final[GuardCheck]
    cleared_at: Final[datetime | None]
    changes_at: Final[tuple[datetime, ...]]
    always_clear: Final[bool]

    def __init__(
        self,
        state: GuardState,
        because: str,
        check: GuardCheck,
        cleared_at: datetime | None,
        changes_at: tuple[datetime, ...],
        always_clear: bool,
    ) -> None:
        self.state = state
        self.because = because
        self.check = check
        self.cleared_at = cleared_at
        self.changes_at = changes_at
        self.always_clear = always_clear

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GuardStatus):
            return NotImplemented
        return (self.check, self.cleared_at, self.changes_at) == (
            other.check,
            other.cleared_at,
            other.changes_at,
        )

    def __hash__(self) -> int:
        return hash((self.check, self.cleared_at, self.changes_at))

    def __repr__(self) -> str:
        return f"GuardStatus({self.check!r}, {self.cleared_at!r}, {self.changes_at!r})"

    @property
    def report(self) -> GuardReport:
        """What was reported about the guard."""
        return self.check.report


@final
class GuardContext:
    """Input of a guard's evaluation. ``today`` and ``notified_on`` are local days."""

    situation: Final[Situation]
    order: Final[OqtIssued]
    calendar: Final[Calendar]
    terms: Final[PolicyTerms]
    now: Final[datetime]
    today: Final[date]
    notified_on: Final[date]

    def __init__(
        self,
        situation: Situation,
        order: OqtIssued,
        calendar: Calendar,
        terms: PolicyTerms,
        now: datetime,
        today: date,
        notified_on: date,
    ) -> None:
        self.situation = situation
        self.order = order
        self.calendar = calendar
        self.terms = terms
        self.now = now
        self.today = today
        self.notified_on = notified_on

    @classmethod
    def of(
        cls, situation: Situation, order: OqtIssued, calendar: Calendar, terms: PolicyTerms
    ) -> GuardContext:
        """Return the context of a situation under its current order."""
        today, notified_on = situation.moment.local.date(), calendar.local_date(order.notified_at)
        return cls(situation, order, calendar, terms, situation.now, today, notified_on)


def term_end(order: OqtIssued, calendar: Calendar) -> datetime:
    """Return the end of an order's departure term."""
    return departure_term_end(calendar, order.notified_at, order.departure_term_days)


def guard_status(
    guard: Guard,
    state: GuardState,
    because: str,
    cleared_at: datetime | None = None,
    changes_at: tuple[datetime, ...] = (),
    report: GuardReport = GuardReport.NONE,
) -> GuardStatus:
    """Return a status together with its evidence."""
    check = _guard_check(guard=guard, state=state, because=because, report=report)
    always_clear = state is GuardState.CLEAR and cleared_at is None and not changes_at
    return GuardStatus(state, because, check, cleared_at, changes_at, always_clear)


def timeless_status(
    guard: Guard, active: bool, because: str, *, reported: bool = True
) -> GuardStatus:
    """Return the status of a guard that does not depend on time.

    ``reported`` says whether it rests on something that was reported.
    """
    if active:
        return guard_status(guard, GuardState.ACTIVE, because, report=GuardReport.ACTIVE)
    report = GuardReport.CLEAR if reported else GuardReport.NONE
    return guard_status(guard, GuardState.CLEAR, because, report=report)
