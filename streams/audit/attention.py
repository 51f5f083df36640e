"""Check that every case that has not ended gets attention, and that an ended one gets none.

A case that has not ended has a next date, a reason for it, an owner and an office. The next date is
at most the longest pause of the policy after the last decision, and nothing is silent for longer.
A case with an open dead letter has its next date by the day on which somebody must decide about it,
and once that has passed, on each working day.
Whether a case has ended follows from its events, not from its projection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.canary import PREFIX, SOURCE, is_canary
from schemas.events import AnswererRole
from streams.audit import answers, calendars, endings
from streams.audit.calendars import Calendars
from streams.audit.cases import CaseRows, Projection, StandingEscalation
from streams.audit.database import Snapshot
from streams.audit.findings import Check
from streams.audit.policies import AuditedPolicy, deciding
from streams.audit.refold import Facts

_LONGEST_PAUSE_DAYS: Final = 60
"""Limit for a case whose policy is not recorded or sets none."""


@dataclass(frozen=True, slots=True)
class Attention:
    """What cases are compared with."""

    now: datetime
    due_bound: timedelta
    """How long a due case may wait for its decision."""
    calendars: Calendars


def load(snapshot: Snapshot, due_bound_seconds: float) -> Attention:
    """Return what the cases of a snapshot are compared with."""
    bound = timedelta(seconds=due_bound_seconds)
    return Attention(snapshot.now, bound, calendars.load(snapshot))


def check_hidden(check: Check, snapshot: Snapshot) -> None:
    """Check that no case with an id of the canary has an event of another source.

    Such a case is excluded from every count. The codec has refused them since version 0.2.
    """
    hidden = snapshot.rows(
        "SELECT DISTINCT case_id FROM case_event WHERE starts_with(case_id, %s) AND source <> %s",
        *(PREFIX, SOURCE),
    )
    for (case_id,) in hidden:
        check.found(case_id, "an id of the canary with an event of another source")


def check_attention(
    check: Check,
    case: CaseRows,
    facts: Facts,
    policies: Mapping[str, AuditedPolicy],
    watched: Attention,
) -> None:
    """Check one case. A case without a projection is reported by the check of the fold."""
    row = case.projection
    if row is None:
        return
    check.compared += 1
    if row.updated_at is None:
        check.found(case.case_id, "never decided")
        return
    ended = endings.ended(facts, row.updated_at)
    if (row.ended_at is not None) != ended:
        check.found(
            case.case_id, f"ended {row.ended_at}, but by its events it has {_NOT[ended]}ended"
        )
    policy = deciding(policies, row.reference_digest)
    if ended:
        _check_ended(check, row, facts, case.standing, watched)
    else:
        days = policy.longest_pause_days if policy is not None else None
        pause = timedelta(days=days or _LONGEST_PAUSE_DAYS)
        _check_open(check, row, pause, watched)
        _check_silence(check, case, row, pause, watched)
    _check_answers(check, row.updated_at, facts, case.standing, policy, watched)


_NOT: Final = {True: "", False: "not "}


def _check_ended(
    check: Check,
    row: Projection,
    facts: Facts,
    standing: Sequence[StandingEscalation],
    watched: Attention,
) -> None:
    """Check that nothing is planned or proposed, except at a reported reopening or new order."""
    for escalation in standing:
        check.found(escalation.reference, "stands although the follow-up of its case ended")
    due = row.next_check_at
    if due is not None and due > watched.now and row.updated_at is not None:
        expected = due in endings.changes_after(facts, row.updated_at)
        check.expect(expected, row.case_id, f"ended, but has a next date, {due.isoformat()}")


def _check_open(check: Check, row: Projection, pause: timedelta, watched: Attention) -> None:
    """Check the next date of a case. A case that is due already is about to be decided again."""
    due = row.next_check_at
    if due is None:
        check.found(row.case_id, "not ended, but has no next date")
        return
    if due <= watched.now or row.updated_at is None:
        return
    check.expect(bool(row.next_reason), row.case_id, "has no reason for its next date")
    check.expect(bool(row.owner), row.case_id, "has no owner")
    check.expect(bool(row.office_id), row.case_id, "has no office")
    check.expect(
        due <= row.updated_at + pause,
        row.case_id,
        f"next date {due.isoformat()} is more than {pause.days} days after its decision",
    )
    since = row.in_open_letter_since
    if since is not None:
        latest = calendars.latest_check(
            watched.calendars, row.reference_digest, since, row.updated_at
        )
        check.expect(
            due <= latest,
            row.case_id,
            f"has an open dead letter, but its next date {due.isoformat()} is later than "
            f"{latest.isoformat()}",
        )


def _check_silence(
    check: Check, case: CaseRows, row: Projection, pause: timedelta, watched: Attention
) -> None:
    if row.in_open_letter_since is not None or is_canary(case.case_id):
        return
    moments = [event.recorded_at for event in case.events]
    if row.raised_at is not None:
        moments.append(row.raised_at)
    last = max(moments, default=None)
    if last is not None:
        check.expect(
            last >= watched.now - pause - watched.due_bound,
            case.case_id,
            f"silent since {last.isoformat()}, more than {pause.days} days",
        )


def _check_answers(
    check: Check,
    decided_at: datetime,
    facts: Facts,
    standing: Sequence[StandingEscalation],
    policy: AuditedPolicy | None,
    watched: Attention,
) -> None:
    if not standing:
        return
    at = max(decided_at, watched.now - watched.due_bound)
    settled = answers.settled_for_good(facts, at)
    by_officials = answers.settled_for_good(facts, at, (AnswererRole.OFFICIAL,))
    for_officials = policy.for_officials if policy is not None else frozenset()
    for escalation in standing:
        known = by_officials if escalation.rule_id in for_officials else settled
        event = known.get(escalation.escalation_id)
        if event is not None:
            check.found(escalation.reference, f"stands although it was answered: {event.answer}")
