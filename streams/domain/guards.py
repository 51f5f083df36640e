"""The guards: what blocks an escalation. Unknown counts as blocked.

A guard is read from the situation at an instant. Circumstances come as pairs of begin and end under
one reference; an end that precedes its own begin is a contradiction, so the guard is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from schemas.events import (
    CircumstanceChanged,
    CircumstanceState,
    Conclusion,
    HouseholdKind,
    Lodging,
)
from schemas.outcomes import GuardState
from schemas.types import Guard
from streams.domain.clocks import Calendar, appeal_term_end, departure_term_end
from streams.domain.situation import Miss, Situation


@dataclass(frozen=True, slots=True)
class Terms:
    """Dated terms of the policy, in days. All but the appeal terms are inferred."""

    appeal_days: int
    appeal_days_in_custody: int
    residence_prospect_working_days: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One guard as read: its state, why, and the instants at which time alone changes it.

    ``cleared_at`` is when the passing of time lifted it; None when time played no part.
    """

    state: GuardState
    because: str
    cleared_at: datetime | None = None
    changes_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """What a guard is read from."""

    situation: Situation
    calendar: Calendar
    terms: Terms
    now: datetime


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
        readings[guard] = _worst(readings[guard], _reported(guard, reported, moment))
    return readings


def _worst(own: Reading, reported: Reading) -> Reading:
    worst = reported if _SEVERITY[reported.state] > _SEVERITY[own.state] else own
    cleared = [r.cleared_at for r in (own, reported) if r.cleared_at is not None]
    return Reading(
        worst.state,
        worst.because,
        max(cleared, default=None) if worst.state is GuardState.CLEAR else None,
        own.changes_at + reported.changes_at,
    )


_NOTHING_REPORTED: Mapping[Guard, Reading] = dict.fromkeys(
    Guard, Reading(GuardState.CLEAR, "nothing reported")
)
_SEVERITY = {GuardState.CLEAR: 0, GuardState.ACTIVE: 1, GuardState.UNKNOWN: 2}


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
            return Reading(
                GuardState.UNKNOWN, f"{reference} ends before it begins", changes_at=tuple(changes)
            )
        changes += [at for at in (begins, until) if at is not None]
        started = begins is None or begins <= now
        if started and (until is None or until > now):
            since = f"since {begins.isoformat()}" if begins else "begin not reported"
            state, because = GuardState.ACTIVE, f"{reference} {since}"
        elif started and until is not None:
            ends.append(until)
        elif state is GuardState.CLEAR:
            because = f"{reference} not begun"
    return Reading(state, because, max(ends, default=None), tuple(changes))


def _reviewed_after(begins: datetime, situation: Situation) -> datetime | None:
    for item in situation.held:
        if item.event.vulnerability_reviewed and item.event.held_at >= begins:
            return item.event.held_at
    return None


def _until(moment: Moment, end: datetime, name: str) -> Reading:
    text = f"{name} {end.isoformat()}"
    if moment.now < end:
        return Reading(GuardState.ACTIVE, f"{text}, still running", changes_at=(end,))
    return Reading(GuardState.CLEAR, f"{text}, run out", cleared_at=end)


def _departure_term(moment: Moment) -> Reading:
    return _until(moment, term_end(moment.situation, moment.calendar), "departure term ends")


def _appeal_term(moment: Moment) -> Reading:
    order = moment.situation.order
    short = order.lodging in (Lodging.DETAINED, Lodging.RETURN_HOUSE)
    days = moment.terms.appeal_days_in_custody if short else moment.terms.appeal_days
    end = appeal_term_end(moment.calendar, order.notified_at, days)
    return _until(moment, end, "appeal term ends")


def _residence_prospect(moment: Moment) -> Reading:
    held = moment.situation.held
    if not held or held[-1].event.conclusion is not Conclusion.RESIDENCE_PROSPECT:
        return Reading(GuardState.CLEAR, "no residence prospect in the last interview")
    days = moment.terms.residence_prospect_working_days
    end = moment.calendar.after_working_days(held[-1].event.held_at, days)
    return _until(moment, end, "time to lodge an application ends")


def _flag(active: bool, when_active: str, when_clear: str) -> Reading:
    if active:
        return Reading(GuardState.ACTIVE, when_active)
    return Reading(GuardState.CLEAR, when_clear)


def _unaccompanied_minor(moment: Moment) -> Reading:
    kind = moment.situation.order.household.kind
    text = f"household {kind}"
    return _flag(kind is HouseholdKind.UNACCOMPANIED_MINOR, text, text)


def _family(moment: Moment) -> Reading:
    kind = moment.situation.order.household.kind
    text = f"household {kind}"
    return _flag(kind is HouseholdKind.FAMILY_WITH_MINORS, text, text)


def _notification(moment: Moment) -> Reading:
    channel = moment.situation.order.notification.channel
    proven = moment.situation.order.notification.proven
    return _flag(not proven, f"by {channel}, not proven", f"by {channel}, proven")


def _justified_absence(moment: Moment) -> Reading:
    pending = [m for m in moment.situation.missed if m.reading is Miss.PENDING]
    names = ", ".join(m.event.appointment_id for m in pending)
    return _flag(bool(pending), f"{names}: reason not yet reviewed", "no reason awaits review")


def _wrong_language(moment: Moment) -> Reading:
    missed = moment.situation.missed
    wrong = bool(missed) and missed[-1].reading is Miss.WRONG_LANGUAGE
    return _flag(wrong, "last invitation in another language", "last invitation understandable")


def _voluntary_return(moment: Moment) -> Reading:
    held = moment.situation.held
    accepted = bool(held) and held[-1].event.conclusion is Conclusion.VOLUNTARY_RETURN_ACCEPTED
    return _flag(accepted, "accepted in the last interview", "not accepted in the last interview")


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
