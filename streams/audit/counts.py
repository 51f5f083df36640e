"""Counts of stored rows, to put the number of findings in proportion."""

from __future__ import annotations

from streams.audit.announced import Outbox
from streams.audit.database import Snapshot


def count(snapshot: Snapshot, outbox: Outbox) -> dict[str, int]:
    """Return how many rows of each kind the database holds, by name."""
    return {
        "events": snapshot.one("SELECT count(*) FROM case_event"),
        "dead_letters.open": snapshot.one(
            "SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL"
        ),
        "dead_letters.resolved": snapshot.one(
            "SELECT count(*) FROM dead_letter WHERE resolved_at IS NOT NULL"
        ),
        "cases": snapshot.one("SELECT count(*) FROM case_projection"),
        "escalations.standing": snapshot.one(
            "SELECT count(*) FROM escalation WHERE withdrawn_at IS NULL"
        ),
        "escalations.withdrawn": snapshot.one(
            "SELECT count(*) FROM escalation WHERE withdrawn_at IS NOT NULL"
        ),
        "outbox.published": sum(row.published for row in outbox.values()),
        "outbox.pending": sum(not row.published for row in outbox.values()),
        "outbox.repeated": sum(max(row.appearances - 1, 0) for row in outbox.values()),
    }
