"""Evaluate every guard of a situation at an instant. An unknown guard blocks like an active one.

"Nothing was reported" is not "checked and clear": each status says what was reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from schemas.codes import Guard
from schemas.events import OqtIssued
from schemas.outcomes import GuardReport, GuardState
from streams.domain.clocks import Calendar
from streams.domain.guards.derived import DERIVED_GUARDS, TERMS
from streams.domain.guards.status import (
    GuardContext,
    GuardStatus,
    guard_status,
    timeless_status,
)
from streams.domain.procedures import BlockingSpan
from streams.domain.situation import Situation
from streams.domain.terms import PolicyTerms

_TERMS: Final = {guard: derive for guard, derive in DERIVED_GUARDS.items() if guard in TERMS}
"""In this order in every process: it is the order in which evidence names pauses."""


def evaluate_guards(
    situation: Situation, calendar: Calendar, terms: PolicyTerms
) -> dict[Guard, GuardStatus]:
    """Return the status of every guard at the situation's instant.

    If a guard is both derived and reported, the more severe status applies. Without an order only
    reported guards are known.
    """
    statuses = dict(_NOTHING_REPORTED)
    order = situation.order
    if order is not None:
        context = GuardContext.of(situation, order, calendar, terms)
        for guard, derive in DERIVED_GUARDS.items():
            statuses[guard] = derive(context)
    for guard, spans in situation.spans.items():
        reported = _reported_status(guard, spans, situation.now)
        statuses[guard] = _worst(statuses[guard], reported)
    _report_vulnerability(statuses, situation)
    return statuses


def term_ends(
    situation: Situation, order: OqtIssued, calendar: Calendar, terms: PolicyTerms
) -> dict[Guard, datetime]:
    """Return when each term that began with the notification ends or ended."""
    context = GuardContext.of(situation, order, calendar, terms)
    found = {}
    for guard, derive in _TERMS.items():
        status = derive(context)
        end = status.cleared_at or min(status.changes_at, default=None)
        if end is not None:
            found[guard] = end
    return found


def _worst(derived: GuardStatus, reported: GuardStatus) -> GuardStatus:
    worst = reported if _SEVERITY[reported.state] >= _SEVERITY[derived.state] else derived
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
    guard: timeless_status(guard, False, "nothing reported", reported=False) for guard in Guard
}
_SEVERITY: Final = {GuardState.CLEAR: 0, GuardState.ACTIVE: 1, GuardState.UNKNOWN: 2}


def _reported_status(guard: Guard, spans: Sequence[BlockingSpan], now: datetime) -> GuardStatus:
    changes: list[datetime] = []
    past_ends: list[datetime] = []
    unknown: BlockingSpan | None = None
    state, because, report = GuardState.CLEAR, "ended", GuardReport.NONE
    for span in spans:
        since, until = span.since, span.until
        if since is not None and since > now:
            changes.append(since)
            begun = False
        else:
            begun = True
        ended = until is not None and until <= now
        if until is not None and not ended:
            changes.append(until)
        if begun and not ended:
            if span.state is GuardState.UNKNOWN and unknown is None:
                unknown = span
            state, because, report = GuardState.ACTIVE, span.because, GuardReport.ACTIVE
        elif until is not None and ended:
            past_ends.append(until)
            report = GuardReport.CLEAR if report is GuardReport.NONE else report
        elif state is GuardState.CLEAR:
            because = f"{span.procedure.reference} not begun"
    if unknown is not None:
        state, because = GuardState.UNKNOWN, unknown.because
    cleared_at = max(past_ends, default=None) if state is GuardState.CLEAR else None
    return guard_status(guard, state, because, cleared_at, tuple(changes), report)


_REVIEWED: Final = Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED


def _report_vulnerability(statuses: dict[Guard, GuardStatus], situation: Situation) -> None:
    """Add what interviews reported about vulnerability to what circumstances reported.

    A review in an interview reports the guard clear. An interview without a review reports that it
    is open: that blocks only rules that require a review.
    """
    status = statuses[_REVIEWED]
    if status.state is not GuardState.CLEAR or not situation.interviews:
        return
    reviews = [i for i in situation.interviews if i.event.vulnerability_reviewed]
    if reviews:
        text, report = f"reviewed in interview {reviews[-1].event.interview_id}", GuardReport.CLEAR
    elif status.report is GuardReport.NONE:
        last = situation.interviews[-1].event.interview_id
        text, report = f"not reviewed in interview {last}", GuardReport.ACTIVE
    else:
        return
    at, changes = status.cleared_at, status.changes_at
    statuses[_REVIEWED] = guard_status(_REVIEWED, GuardState.CLEAR, text, at, changes, report)
