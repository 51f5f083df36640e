"""The guards: what blocks an escalation. Unknown counts as blocked.

A guard is read from the situation at an instant. Circumstances come as pairs of begin and end under
one reference; an end that precedes its own begin is a contradiction, so the guard is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.events import (
    CircumstanceChanged,
    CircumstanceState,
    Conclusion,
    HouseholdKind,
    Lodging,
    NotificationChannel,
)
from schemas.outcomes import GuardCheck, GuardState
from schemas.types import Guard
from streams.domain.clocks import Calendar, appeal_term_last, departure_term_end, midnight
from streams.domain.situation import Miss, Situation


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


def read(moment: Moment) -> dict[Guard, Reading]:
    """Return every guard as it stands at ``moment.now``; of each, the worst that is known of it."""
    readings = dict(_NOTHING_REPORTED)
    for guard, own in _OWN.items():
        readings[guard] = own(moment)
    for guard, reported in moment.situation.circumstances.items():
        found = _reported(guard, reported, moment)
        readings[guard] = _worst(readings[guard], found) if guard in _OWN else found
    return readings


def _found(
    guard: Guard,
    state: GuardState,
    because: str,
    cleared_at: datetime | None = None,
    changes_at: tuple[datetime, ...] = (),
) -> Reading:
    check = GuardCheck(guard=guard, state=state, because=because)
    idle = state is GuardState.CLEAR and cleared_at is None and not changes_at
    return Reading(state, because, check, cleared_at, changes_at, idle)


def _flag(guard: Guard, active: bool, because: str) -> Reading:
    return _found(guard, GuardState.ACTIVE if active else GuardState.CLEAR, because)


def _worst(own: Reading, reported: Reading) -> Reading:
    worst = reported if _SEVERITY[reported.state] > _SEVERITY[own.state] else own
    cleared = [r.cleared_at for r in (own, reported) if r.cleared_at is not None]
    return Reading(
        worst.state,
        worst.because,
        worst.check,
        max(cleared, default=None) if worst.state is GuardState.CLEAR else None,
        own.changes_at + reported.changes_at,
        own.idle and reported.idle,
    )


_NOTHING_REPORTED: Final[Mapping[Guard, Reading]] = {
    guard: _flag(guard, False, "nothing reported") for guard in Guard
}
_SEVERITY: Final = {GuardState.CLEAR: 0, GuardState.ACTIVE: 1, GuardState.UNKNOWN: 2}


def _reported(guard: Guard, reported: Iterable[CircumstanceChanged], moment: Moment) -> Reading:
    spans: dict[str, dict[CircumstanceState, datetime]] = {}
    for event in reported:
        spans.setdefault(event.reference, {})[event.state] = event.effective_at
    now = moment.now
    ends: list[datetime] = []
    changes: list[datetime] = []
    state, because = GuardState.CLEAR, "ended"
    for reference, span in sorted(spans.items()):
        begins, until = span.get(CircumstanceState.BEGINS), span.get(CircumstanceState.ENDS)
        if guard is Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED and begins and until is None:
            until = _reviewed_after(begins, moment.situation)
        if begins is not None and until is not None and until < begins:
            because = f"{reference} ends before it begins"
            return _found(guard, GuardState.UNKNOWN, because, changes_at=tuple(changes))
        changes += [at for at in (begins, until) if at is not None and at > now]
        started = begins is None or begins <= now
        if started and (until is None or until > now):
            since = f"since {begins.isoformat()}" if begins else "begin not reported"
            state, because = GuardState.ACTIVE, f"{reference} {since}"
        elif started and until is not None:
            ends.append(until)
        elif state is GuardState.CLEAR:
            because = f"{reference} not begun"
    cleared_at = max(ends, default=None) if state is GuardState.CLEAR else None
    return _found(guard, state, because, cleared_at, tuple(changes))


def _reviewed_after(begins: datetime, situation: Situation) -> datetime | None:
    for item in situation.held:
        if item.event.vulnerability_reviewed and item.event.held_at >= begins:
            return item.event.held_at
    return None


def _until(guard: Guard, name: str, end: datetime, running: bool) -> Reading:
    text = f"{name} {end.isoformat()}"
    if running:
        return _found(guard, GuardState.ACTIVE, f"{text}, still running", changes_at=(end,))
    return _found(guard, GuardState.CLEAR, f"{text}, run out", cleared_at=end)


@lru_cache(maxsize=4096)
def _through(guard: Guard, name: str, last: date, zone: tzinfo, running: bool) -> Reading:
    """Read a term that runs to the end of its last day; the terms of many end on the same days."""
    return _until(guard, name, midnight(last + timedelta(days=1), zone), running)


def _departure_term(moment: Moment) -> Reading:
    guard, name, order = Guard.DEPARTURE_TERM_RUNNING, "departure term ends", moment.situation.order
    if order.departure_term_days == 0:
        end = term_end(moment.situation, moment.calendar)
        return _until(guard, name, end, moment.now < end)
    last = moment.notified_on + timedelta(days=order.departure_term_days)
    return _through(guard, name, last, moment.calendar.zone, moment.today <= last)


def _appeal_term(moment: Moment) -> Reading:
    guard, name, order = Guard.APPEAL_TERM_RUNNING, "appeal term ends", moment.situation.order
    short = order.lodging in (Lodging.DETAINED, Lodging.RETURN_HOUSE)
    days = moment.terms.appeal_days_in_custody if short else moment.terms.appeal_days
    last = appeal_term_last(moment.calendar, moment.notified_on, days)
    return _through(guard, name, last, moment.calendar.zone, moment.today <= last)


_NO_PROSPECT: Final = _flag(
    Guard.NEW_RESIDENCE_PROCEDURE, False, "no residence prospect in the last interview"
)


def _residence_prospect(moment: Moment) -> Reading:
    held = moment.situation.held
    if not held or held[-1].event.conclusion is not Conclusion.RESIDENCE_PROSPECT:
        return _NO_PROSPECT
    days = moment.terms.residence_prospect_working_days
    end = moment.calendar.after_working_days(held[-1].event.held_at, days)
    name = "time to lodge an application ends"
    return _until(Guard.NEW_RESIDENCE_PROCEDURE, name, end, moment.now < end)


_UNACCOMPANIED_MINOR: Final = {
    kind: _flag(
        Guard.UNACCOMPANIED_MINOR, kind is HouseholdKind.UNACCOMPANIED_MINOR, f"household {kind}"
    )
    for kind in HouseholdKind
}
_FAMILY: Final = {
    kind: _flag(
        Guard.FAMILY_WITH_MINORS, kind is HouseholdKind.FAMILY_WITH_MINORS, f"household {kind}"
    )
    for kind in HouseholdKind
}


def _unaccompanied_minor(moment: Moment) -> Reading:
    return _UNACCOMPANIED_MINOR[moment.situation.order.household.kind]


def _family(moment: Moment) -> Reading:
    return _FAMILY[moment.situation.order.household.kind]


_PROVEN: Final = {
    channel: _flag(Guard.NOTIFICATION_NOT_PROVEN, False, f"by {channel}, proven")
    for channel in NotificationChannel
}
_NOT_PROVEN: Final = {
    channel: _flag(Guard.NOTIFICATION_NOT_PROVEN, True, f"by {channel}, not proven")
    for channel in NotificationChannel
}


def _notification(moment: Moment) -> Reading:
    notification = moment.situation.order.notification
    return (_PROVEN if notification.proven else _NOT_PROVEN)[notification.channel]


_NOTHING_PENDING: Final = _flag(Guard.JUSTIFIED_ABSENCE_PENDING, False, "no reason awaits review")


def _justified_absence(moment: Moment) -> Reading:
    pending = [m for m in moment.situation.missed if m.reading is Miss.PENDING]
    if not pending:
        return _NOTHING_PENDING
    names = ", ".join(m.event.appointment_id for m in pending)
    return _flag(Guard.JUSTIFIED_ABSENCE_PENDING, True, f"{names}: reason not yet reviewed")


_OTHER_LANGUAGE: Final = _flag(
    Guard.WRONG_LANGUAGE_INVITATION, True, "last invitation in another language"
)
_UNDERSTANDABLE: Final = _flag(
    Guard.WRONG_LANGUAGE_INVITATION, False, "last invitation understandable"
)


def _wrong_language(moment: Moment) -> Reading:
    missed = moment.situation.missed
    wrong = bool(missed) and missed[-1].reading is Miss.WRONG_LANGUAGE
    return _OTHER_LANGUAGE if wrong else _UNDERSTANDABLE


_RETURN_ACCEPTED: Final = _flag(
    Guard.VOLUNTARY_RETURN_IN_PROGRESS, True, "accepted in the last interview"
)
_RETURN_NOT_ACCEPTED: Final = _flag(
    Guard.VOLUNTARY_RETURN_IN_PROGRESS, False, "not accepted in the last interview"
)


def _voluntary_return(moment: Moment) -> Reading:
    held = moment.situation.held
    accepted = bool(held) and held[-1].event.conclusion is Conclusion.VOLUNTARY_RETURN_ACCEPTED
    return _RETURN_ACCEPTED if accepted else _RETURN_NOT_ACCEPTED


_OWN: Mapping[Guard, Callable[[Moment], Reading]] = {
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
