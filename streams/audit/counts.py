"""Counts of stored rows, to put the number of findings in proportion."""

from __future__ import annotations

from streams.audit.database import Snapshot


def count(snapshot: Snapshot) -> dict[str, int]:
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
        "outbox.published": snapshot.one(
            "SELECT count(*) FROM outbox WHERE NOT EXISTS"
            " (SELECT FROM outbox_pending AS waiting WHERE waiting.position = outbox.position)"
        ),
        "outbox.pending": snapshot.one(
            "SELECT count(*) FROM outbox JOIN outbox_pending USING (position)"
        ),
    }
