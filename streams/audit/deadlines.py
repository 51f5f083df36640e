"""Nothing is due and unfired."""

from __future__ import annotations

from datetime import datetime

from streams.audit.database import Snapshot
from streams.audit.findings import Check


def check_deadlines(check: Check, snapshot: Snapshot, lately: datetime) -> None:
    """Prove that no case was due for another look before ``lately`` and did not get it."""
    rows = snapshot.rows(
        """
        SELECT case_id, next_check_at FROM case_projection WHERE next_check_at IS NOT NULL
        """
    )
    for case_id, due in rows:
        check.compared += 1
        check.expect(due >= lately, case_id, f"due since {due.isoformat()}")
