"""Evaluate the guards that follow from the case itself: terms, household, notification, misses.

A term counted in days includes the whole of its last day. The appeal term is fixed at notification:
what changes later does not shorten it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from schemas.codes import Guard
from schemas.events import HouseholdKind, Lodging, NotificationChannel
from schemas.instants import rfc3339
from schemas.outcomes import GuardReport, GuardState
from streams.domain.clocks import duration, midnight
from streams.domain.guards.status import (
    GuardContext,
    GuardStatus,
    guard_status,
    term_end,
    timeless_status,
)
from streams.domain.situation import MissKind, Until

_CUSTODY: Final = (Lodging.DETAINED, Lodging.RETURN_HOUSE)


def _term_status(guard: Guard, name: str, end: datetime, running: bool) -> GuardStatus:
    text = f"{name} {rfc3339(end)}"
    if running:
        active, because = GuardState.ACTIVE, f"{text}, still running"
        return guard_status(guard, active, because, changes_at=(end,), report=GuardReport.ACTIVE)
    clear, because = GuardState.CLEAR, f"{text}, run out"
    return guard_status(guard, clear, because, cleared_at=end, report=GuardReport.CLEAR)


@lru_cache(maxsize=4096)
def _status_of_days(
    guard: Guard, name: str, last: date, zone: tzinfo, running: bool
) -> GuardStatus:
    """Return the status of a term that ends with a day. Cached: many cases share the same days."""
    return _term_status(guard, name, midnight(last + timedelta(days=1), zone), running)


def _departure_term(context: GuardContext) -> GuardStatus:
    guard, name, order = Guard.DEPARTURE_TERM_RUNNING, "departure term ends", context.order
    if order.departure_term_days == 0:
        end = term_end(order, context.calendar)
        return _term_status(guard, name, end, context.now < end)
    last = context.notified_on + duration(order.departure_term_days)
    return _days(context, guard, name, last)


def _days(context: GuardContext, guard: Guard, name: str, last: date) -> GuardStatus:
    running = context.today <= last
    return _status_of_days(guard, name, last, context.calendar.zone, running)


def _appeal_term(context: GuardContext) -> GuardStatus:
    in_custody = context.situation.lodging_when_notified in _CUSTODY
    terms = context.terms
    days = terms.appeal_days_in_custody if in_custody else terms.appeal_days
    last = context.calendar.appeal_term_last(context.notified_on, days)
    return _days(context, Guard.APPEAL_TERM_RUNNING, "appeal term ends", last)


def _urgent_appeal_term(context: GuardContext) -> GuardStatus:
    terms = context.terms
    repeat = context.order.repeat_order
    days = terms.urgent_appeal_days_repeat if repeat else terms.urgent_appeal_days
    last = context.calendar.appeal_term_last(context.notified_on, days)
    return _days(context, Guard.URGENT_APPEAL_TERM_RUNNING, "urgent appeal term ends", last)


def _until_status(guard: Guard, name: str, until: Until, now: datetime) -> GuardStatus:
    return _term_status(guard, name, until.until, now < until.until)


_NO_INTERVIEW: Final = {
    guard: timeless_status(guard, False, "no interview held", reported=False)
    for guard in (Guard.NEW_RESIDENCE_PROCEDURE, Guard.VOLUNTARY_RETURN_IN_PROGRESS)
}
_NO_PROSPECT: Final = timeless_status(
    Guard.NEW_RESIDENCE_PROCEDURE, False, "no residence prospect in the last interview"
)


def _residence_prospect(context: GuardContext) -> GuardStatus:
    guard, prospect = Guard.NEW_RESIDENCE_PROCEDURE, context.situation.prospect
    if prospect is None:
        return _NO_PROSPECT if context.situation.interviews else _NO_INTERVIEW[guard]
    return _until_status(guard, "time to lodge an application ends", prospect, context.now)


_RETURN_NOT_ACCEPTED: Final = timeless_status(
    Guard.VOLUNTARY_RETURN_IN_PROGRESS, False, "not accepted in the last interview"
)


def _voluntary_return(context: GuardContext) -> GuardStatus:
    guard, acceptance = Guard.VOLUNTARY_RETURN_IN_PROGRESS, context.situation.acceptance
    if acceptance is None:
        return _RETURN_NOT_ACCEPTED if context.situation.interviews else _NO_INTERVIEW[guard]
    return _until_status(guard, "time to leave after acceptance ends", acceptance, context.now)


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
    return _UNACCOMPANIED_MINOR[context.order.household.kind]


def _family(context: GuardContext) -> GuardStatus:
    return _FAMILY[context.order.household.kind]


_PROVEN: Final = {
    channel: timeless_status(Guard.NOTIFICATION_NOT_PROVEN, False, f"by {channel}, proven")
    for channel in NotificationChannel
}
_NOT_PROVEN: Final = {
    channel: timeless_status(Guard.NOTIFICATION_NOT_PROVEN, True, f"by {channel}, not proven")
    for channel in NotificationChannel
}


def _notification(context: GuardContext) -> GuardStatus:
    notification = context.order.notification
    return (_PROVEN if notification.proven else _NOT_PROVEN)[notification.channel]


_NOTHING_PENDING: Final = {
    reported: timeless_status(
        Guard.JUSTIFIED_ABSENCE_PENDING, False, "no reason awaits review", reported=reported
    )
    for reported in (False, True)
}
_NOT_REVIEWED: Final = (MissKind.PENDING, MissKind.NOT_ASKED)


def _justified_absence(context: GuardContext) -> GuardStatus:
    missed = context.situation.missed
    pending = [m for m in missed if m.kind in _NOT_REVIEWED]
    if not pending:
        return _NOTHING_PENDING[bool(missed)]
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
_NO_INVITATION: Final = timeless_status(
    Guard.WRONG_LANGUAGE_INVITATION, False, "no invitation reported", reported=False
)


def _wrong_language(context: GuardContext) -> GuardStatus:
    missed = context.situation.missed
    if not missed:
        return _NO_INVITATION
    return _OTHER_LANGUAGE if missed[-1].kind is MissKind.WRONG_LANGUAGE else _UNDERSTANDABLE


DERIVED_GUARDS: Final[Mapping[Guard, Callable[[GuardContext], GuardStatus]]] = {
    Guard.DEPARTURE_TERM_RUNNING: _departure_term,
    Guard.APPEAL_TERM_RUNNING: _appeal_term,
    Guard.URGENT_APPEAL_TERM_RUNNING: _urgent_appeal_term,
    Guard.NEW_RESIDENCE_PROCEDURE: _residence_prospect,
    Guard.UNACCOMPANIED_MINOR: _unaccompanied_minor,
    Guard.FAMILY_WITH_MINORS: _family,
    Guard.NOTIFICATION_NOT_PROVEN: _notification,
    Guard.JUSTIFIED_ABSENCE_PENDING: _justified_absence,
    Guard.WRONG_LANGUAGE_INVITATION: _wrong_language,
    Guard.VOLUNTARY_RETURN_IN_PROGRESS: _voluntary_return,
}
"""Function that evaluates each derived guard. Reported circumstances can set a guard as well."""

TERMS: Final = frozenset(
    {
        Guard.DEPARTURE_TERM_RUNNING,
        Guard.APPEAL_TERM_RUNNING,
        Guard.URGENT_APPEAL_TERM_RUNNING,
    }
)
"""Guards that are active from the notification until a term ends."""
