"""Evaluate every guard of a situation at an instant. An unknown guard blocks like an active one.

A reported circumstance has a begin and an end under one reference. An end before its own begin is a
contradiction, so the guard's state is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from schemas.events import CircumstanceChanged, CircumstanceState
from schemas.outcomes import GuardState
from schemas.types import Guard
from streams.domain.guards.derived import DERIVED_GUARDS
from streams.domain.guards.status import GuardContext, GuardStatus, guard_status, timeless_status
from streams.domain.situation import Situation


def evaluate_guards(context: GuardContext) -> dict[Guard, GuardStatus]:
    """Return the status of every guard at ``context.now``.

    If a guard is both derived and reported, the more severe status applies.
    """
    statuses = dict(_NOTHING_REPORTED)
    for guard, derive in DERIVED_GUARDS.items():
        statuses[guard] = derive(context)
    for guard, events in context.situation.circumstances.items():
        reported = _reported_status(guard, events, context)
        derived = statuses[guard]
        statuses[guard] = _worst(derived, reported) if guard in DERIVED_GUARDS else reported
    return statuses


def _worst(derived: GuardStatus, reported: GuardStatus) -> GuardStatus:
    worst = reported if _SEVERITY[reported.state] > _SEVERITY[derived.state] else derived
    cleared = [r.cleared_at for r in (derived, reported) if r.cleared_at is not None]
    return GuardStatus(
        worst.state,
        worst.because,
        worst.check,
        max(cleared, default=None) if worst.state is GuardState.CLEAR else None,
        derived.changes_at + reported.changes_at,
        derived.always_clear and reported.always_clear,
    )


_NOTHING_REPORTED: Final[Mapping[Guard, GuardStatus]] = {
    guard: timeless_status(guard, False, "nothing reported") for guard in Guard
}
_SEVERITY: Final = {GuardState.CLEAR: 0, GuardState.ACTIVE: 1, GuardState.UNKNOWN: 2}


def _reported_status(
    guard: Guard, events: Iterable[CircumstanceChanged], context: GuardContext
) -> GuardStatus:
    procedures: dict[str, dict[CircumstanceState, datetime]] = {}
    for event in events:
        procedures.setdefault(event.reference, {})[event.state] = event.effective_at
    now = context.now
    past_ends: list[datetime] = []
    changes: list[datetime] = []
    state, because = GuardState.CLEAR, "ended"
    for reference, times in sorted(procedures.items()):
        begins, ends = times.get(CircumstanceState.BEGINS), times.get(CircumstanceState.ENDS)
        if guard is Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED and begins and ends is None:
            ends = _reviewed_after(begins, context.situation)
        if begins is not None and ends is not None and ends < begins:
            because = f"{reference} ends before it begins"
            return guard_status(guard, GuardState.UNKNOWN, because, changes_at=tuple(changes))
        changes += [at for at in (begins, ends) if at is not None and at > now]
        started = begins is None or begins <= now
        if started and (ends is None or ends > now):
            since = f"since {begins.isoformat()}" if begins else "begin not reported"
            state, because = GuardState.ACTIVE, f"{reference} {since}"
        elif started and ends is not None:
            past_ends.append(ends)
        elif state is GuardState.CLEAR:
            because = f"{reference} not begun"
    cleared_at = max(past_ends, default=None) if state is GuardState.CLEAR else None
    return guard_status(guard, state, because, cleared_at, tuple(changes))


def _reviewed_after(begins: datetime, situation: Situation) -> datetime | None:
    for interview in situation.interviews:
        if interview.event.vulnerability_reviewed and interview.event.held_at >= begins:
            return interview.event.held_at
    return None
