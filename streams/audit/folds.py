"""Check that every projection equals an independent fold of its case's whole log."""

from __future__ import annotations

from collections.abc import Set
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from schemas.codec import digest as content_digest
from schemas.events import EVENT_TYPES
from schemas.producers import Producers
from streams.audit import endings, refold
from streams.audit.cases import CaseRows, EventRow
from streams.audit.database import Snapshot
from streams.audit.findings import Check
from streams.audit.refold import Facts, Version

NEVER_DECIDED: Final = datetime.min.replace(tzinfo=UTC)
"""Instant of the last decision on a case that was never decided: no order had arrived then."""


def cases_of_reused_ids(snapshot: Snapshot) -> set[str]:
    """Return the cases of valid events whose id their source had used before.

    Only the log tells, and their cases are locked by then: such a case may have no event.
    """
    rows = snapshot.rows(
        "SELECT DISTINCT unnest(case_ids) FROM dead_letter WHERE reason = 'id_reused'"
    )
    return {row[0] for row in rows}


def check_contents(check: Check, case: CaseRows) -> None:
    """Check that each stored event still matches its digest; reported under check ``log``."""
    for row in case.events:
        check.compared += 1
        stored = content_digest(row.type, row.case_id, row.occurred_at, row.payload.encode())
        check.expect(stored == row.digest, row.event_id, "stored content does not match its digest")


def check_fold(
    check: Check, case: CaseRows, producers: Producers, of_reused_ids: Set[str]
) -> Facts:
    """Check that a projection equals the fold of its log, and return that fold.

    A case that only a dead letter names has no projection, except for ``of_reused_ids``.
    """
    check.compared += 1
    facts = refold.refold(_versions(check, case.events, producers))
    projection = case.projection
    if projection is None:
        check.found(case.case_id, "in the log without a projection")
        return facts
    if not case.events and case.case_id not in of_reused_ids:
        check.found(case.case_id, "projection without any event")
    check.expect(
        projection.events == len(case.events),
        case.case_id,
        f"projection counts {projection.events} events, the log {len(case.events)}",
    )
    same = projection.digest == refold.digest(facts)
    check.expect(same, case.case_id, "projection's digest is not that of the fold")
    order = endings.current_order(facts, projection.updated_at or NEVER_DECIDED)
    order_id = order.order_id if order else None
    same = projection.order_id == order_id
    check.expect(same, case.case_id, "projection's order is not the current order")
    return facts


def _versions(check: Check, rows: tuple[EventRow, ...], producers: Producers) -> list[Version]:
    """Return the parsed events; one that can't be parsed is reported and left out."""
    versions = []
    for row in rows:
        model = EVENT_TYPES.get(row.type)
        if model is None:
            check.found(row.event_id, "unknown event type")
            continue
        try:
            event = model.read_json(row.payload)
        except ValidationError:
            check.found(row.event_id, "payload is not valid for its event type")
            continue
        rank = producers.rank(row.source)
        versions.append(Version(row.occurred_at, row.event_id, row.type, event, row.source, rank))
    return versions
