"""Evaluate the guards that follow from the case itself: terms, household, notification, misses.

A term counted in days includes the whole of its last day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from schemas.events import Conclusion, HouseholdKind, Lodging, NotificationChannel
from schemas.outcomes import GuardState
from schemas.types import Guard
from streams.domain.clocks import appeal_term_last, midnight
from streams.domain.guards.status import (
    GuardContext,
    GuardStatus,
    guard_status,
    term_end,
    timeless_status,
)
from streams.domain.situation import MissKind


def _term_status(guard: Guard, name: str, end: datetime, running: bool) -> GuardStatus:
    text = f"{name} {end.isoformat()}"
    if running:
        return guard_status(guard, GuardState.ACTIVE, f"{text}, still running", changes_at=(end,))
    return guard_status(guard, GuardState.CLEAR, f"{text}, run out", cleared_at=end)


@lru_cache(maxsize=4096)
def _status_of_days(
    guard: Guard, name: str, last: date, zone: tzinfo, running: bool
) -> GuardStatus:
    """Return the status of a term that ends with a day. Cached: many cases share the same days."""
    return _term_status(guard, name, midnight(last + timedelta(days=1), zone), running)


def _departure_term(context: GuardContext) -> GuardStatus:
    guard, name, order = (
        Guard.DEPARTURE_TERM_RUNNING,
        "departure term ends",
        context.situation.order,
    )
    if order.departure_term_days == 0:
        end = term_end(context.situation, context.calendar)
        return _term_status(guard, name, end, context.now < end)
    last = context.notified_on + timedelta(days=order.departure_term_days)
    return _status_of_days(guard, name, last, context.calendar.zone, context.today <= last)


def _appeal_term(context: GuardContext) -> GuardStatus:
    guard, name, order = Guard.APPEAL_TERM_RUNNING, "appeal term ends", context.situation.order
    short = order.lodging in (Lodging.DETAINED, Lodging.RETURN_HOUSE)
    days = context.terms.appeal_days_in_custody if short else context.terms.appeal_days
    last = appeal_term_last(context.calendar, context.notified_on, days)
    return _status_of_days(guard, name, last, context.calendar.zone, context.today <= last)


_NO_PROSPECT: Final = timeless_status(
    Guard.NEW_RESIDENCE_PROCEDURE, False, "no residence prospect in the last interview"
)


def _residence_prospect(context: GuardContext) -> GuardStatus:
    interviews = context.situation.interviews
    if not interviews or interviews[-1].event.conclusion is not Conclusion.RESIDENCE_PROSPECT:
        return _NO_PROSPECT
    days = context.terms.residence_prospect_working_days
    end = context.calendar.after_working_days(interviews[-1].event.held_at, days)
    name = "time to lodge an application ends"
    return _term_status(Guard.NEW_RESIDENCE_PROCEDURE, name, end, context.now < end)


_UNACCOMPANIED_MINOR: Final = {
    kind: timeless_status(
        Guard.UNACCOMPANIED_MINOR, kind is HouseholdKind.UNACCOMPANIED_MINOR, f"household {kind}"
    )
    for kind in HouseholdKind
}
_FAMILY: Final = {
    kind: timeless_status(
        Guard.FAMILY_WITH_MINORS, kind is HouseholdKind.FAMILY_WITH_MINORS, f"household {kind}"
    )
    for kind in HouseholdKind
}


def _unaccompanied_minor(context: GuardContext) -> GuardStatus:
    return _UNACCOMPANIED_MINOR[context.situation.order.household.kind]


def _family(context: GuardContext) -> GuardStatus:
    return _FAMILY[context.situation.order.household.kind]


_PROVEN: Final = {
    channel: timeless_status(Guard.NOTIFICATION_NOT_PROVEN, False, f"by {channel}, proven")
    for channel in NotificationChannel
}
_NOT_PROVEN: Final = {
    channel: timeless_status(Guard.NOTIFICATION_NOT_PROVEN, True, f"by {channel}, not proven")
    for channel in NotificationChannel
}


def _notification(context: GuardContext) -> GuardStatus:
    notification = context.situation.order.notification
    return (_PROVEN if notification.proven else _NOT_PROVEN)[notification.channel]


_NOTHING_PENDING: Final = timeless_status(
    Guard.JUSTIFIED_ABSENCE_PENDING, False, "no reason awaits review"
)


def _justified_absence(context: GuardContext) -> GuardStatus:
    pending = [m for m in context.situation.missed if m.kind is MissKind.PENDING]
    if not pending:
        return _NOTHING_PENDING
    names = ", ".join(m.event.appointment_id for m in pending)
    return timeless_status(
        Guard.JUSTIFIED_ABSENCE_PENDING, True, f"{names}: reason not yet reviewed"
    )


_OTHER_LANGUAGE: Final = timeless_status(
    Guard.WRONG_LANGUAGE_INVITATION, True, "last invitation in another language"
)
_UNDERSTANDABLE: Final = timeless_status(
    Guard.WRONG_LANGUAGE_INVITATION, False, "last invitation understandable"
)


def _wrong_language(context: GuardContext) -> GuardStatus:
    missed = context.situation.missed
    wrong = bool(missed) and missed[-1].kind is MissKind.WRONG_LANGUAGE
    return _OTHER_LANGUAGE if wrong else _UNDERSTANDABLE


_RETURN_ACCEPTED: Final = timeless_status(
    Guard.VOLUNTARY_RETURN_IN_PROGRESS, True, "accepted in the last interview"
)
_RETURN_NOT_ACCEPTED: Final = timeless_status(
    Guard.VOLUNTARY_RETURN_IN_PROGRESS, False, "not accepted in the last interview"
)


def _voluntary_return(context: GuardContext) -> GuardStatus:
    interviews = context.situation.interviews
    accepted = (
        bool(interviews) and interviews[-1].event.conclusion is Conclusion.VOLUNTARY_RETURN_ACCEPTED
    )
    return _RETURN_ACCEPTED if accepted else _RETURN_NOT_ACCEPTED


DERIVED_GUARDS: Final[Mapping[Guard, Callable[[GuardContext], GuardStatus]]] = {
    Guard.DEPARTURE_TERM_RUNNING: _departure_term,
    Guard.APPEAL_TERM_RUNNING: _appeal_term,
    Guard.NEW_RESIDENCE_PROCEDURE: _residence_prospect,
    Guard.UNACCOMPANIED_MINOR: _unaccompanied_minor,
    Guard.FAMILY_WITH_MINORS: _family,
    Guard.NOTIFICATION_NOT_PROVEN: _notification,
    Guard.JUSTIFIED_ABSENCE_PENDING: _justified_absence,
    Guard.WRONG_LANGUAGE_INVITATION: _wrong_language,
    Guard.VOLUNTARY_RETURN_IN_PROGRESS: _voluntary_return,
}
"""Function that evaluates each derived guard. Reported circumstances can set a guard as well."""
