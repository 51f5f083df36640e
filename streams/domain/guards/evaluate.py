"""The guards: what blocks an escalation. Unknown counts as blocked.

A guard is read from the situation at an instant. Circumstances come as pairs of begin and end under
one reference; an end that precedes its own begin is a contradiction, so the guard is unknown.
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


def evaluate_guards(moment: GuardContext) -> dict[Guard, GuardStatus]:
    """Return every guard as it stands at ``moment.now``; of each, the worst that is known of it."""
    readings = dict(_NOTHING_REPORTED)
    for guard, own in DERIVED_GUARDS.items():
        readings[guard] = own(moment)
    for guard, reported in moment.situation.circumstances.items():
        told = _reported(guard, reported, moment)
        readings[guard] = _worst(readings[guard], told) if guard in DERIVED_GUARDS else told
    return readings


def _worst(own: GuardStatus, reported: GuardStatus) -> GuardStatus:
    worst = reported if _SEVERITY[reported.state] > _SEVERITY[own.state] else own
    cleared = [r.cleared_at for r in (own, reported) if r.cleared_at is not None]
    return GuardStatus(
        worst.state,
        worst.because,
        worst.check,
        max(cleared, default=None) if worst.state is GuardState.CLEAR else None,
        own.changes_at + reported.changes_at,
        own.idle and reported.idle,
    )


_NOTHING_REPORTED: Final[Mapping[Guard, GuardStatus]] = {
    guard: timeless_status(guard, False, "nothing reported") for guard in Guard
}
_SEVERITY: Final = {GuardState.CLEAR: 0, GuardState.ACTIVE: 1, GuardState.UNKNOWN: 2}


def _reported(
    guard: Guard, reported: Iterable[CircumstanceChanged], moment: GuardContext
) -> GuardStatus:
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
            return guard_status(guard, GuardState.UNKNOWN, because, changes_at=tuple(changes))
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
    return guard_status(guard, state, because, cleared_at, tuple(changes))


def _reviewed_after(begins: datetime, situation: Situation) -> datetime | None:
    for item in situation.held:
        if item.event.vulnerability_reviewed and item.event.held_at >= begins:
            return item.event.held_at
    return None
