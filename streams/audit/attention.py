"""Check that no case is forgotten: each open one has a next date, a reason for it and an owner.

The auditor works out from the facts alone whether a case has ended. An ended case has no standing
escalation. An open one is not silent for longer than the policy's longest pause: an event arrived
or a proposal was announced since.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from streams.audit.cases import CaseRows
from streams.audit.database import Snapshot
from streams.audit.findings import Check
from streams.audit.policies import AuditedPolicy
from streams.audit.refold import Facts, has_ended

_DAY: Final = timedelta(days=1)


def last_signs(snapshot: Snapshot) -> dict[str, datetime]:
    """Return when each case last had an event recorded or a proposal announced."""
    rows = snapshot.rows(
        """
        SELECT case_id, max(at) FROM (
            SELECT case_id, recorded_at AS at FROM case_event
            UNION ALL SELECT case_id, raised_at FROM escalation) AS signs GROUP BY case_id
        """
    )
    return dict(rows)


def check_attention(
    check: Check,
    case: CaseRows,
    facts: Facts,
    last_sign: datetime | None,
    stands: bool,
    policy: AuditedPolicy | None,
    overdue_before: datetime,
) -> None:
    """Check one case, as of its last decision. Cases of an earlier policy are not checked."""
    row = case.projection
    pause = policy.longest_pause_days if policy is not None else None
    if row is None or row.updated_at is None or pause is None:
        return
    check.compared += 1
    reference = case.case_id
    if has_ended(facts, row.updated_at):
        check.expect(row.ended_at is not None, reference, "has ended, but is shown as open")
        check.expect(not stands, reference, "has ended, but an escalation stands")
        return
    check.expect(row.ended_at is None, reference, "is shown as ended, but is open by its facts")
    check.expect(row.next_check_at is not None, reference, "has no next date")
    check.expect(bool(row.next_reason), reference, "has no reason for its next date")
    check.expect(bool(row.owner) and bool(row.office_id), reference, "has no owner")
    longest = timedelta(days=pause)
    if row.next_check_at is not None:
        late = row.next_check_at > row.updated_at + longest + _DAY
        check.expect(not late, reference, f"is looked at later than after {pause} days")
    if last_sign is not None:
        silent = last_sign + longest + _DAY < overdue_before
        check.expect(not silent, reference, f"is silent since {last_sign.isoformat()}")
