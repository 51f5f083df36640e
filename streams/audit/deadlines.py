"""Check that no case is overdue."""

from __future__ import annotations

from datetime import datetime, timedelta

from streams.audit.database import Snapshot
from streams.audit.findings import Check


def overdue_limit(now: datetime, due_bound_seconds: float) -> datetime:
    """Return the instant before which every deadline must have been processed."""
    return now - timedelta(seconds=due_bound_seconds)


def check_deadlines(check: Check, snapshot: Snapshot, overdue_before: datetime) -> None:
    """Check that no case has an unprocessed deadline before ``overdue_before``."""
    rows = snapshot.rows(
        """
        SELECT case_id, next_check_at FROM case_projection WHERE next_check_at IS NOT NULL
        """
    )
    for case_id, due in rows:
        check.compared += 1
        check.expect(due >= overdue_before, case_id, f"due since {due.isoformat()}")
