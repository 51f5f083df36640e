"""Every projection equals an independent fold of the whole log of its case."""

from __future__ import annotations

from collections.abc import Set

from pydantic import ValidationError

from schemas.codec import digest as content_digest
from schemas.events import EVENT_TYPES
from streams.audit import refold
from streams.audit.cases import CaseRows, ProjectionRow
from streams.audit.database import Snapshot
from streams.audit.findings import Check
from streams.audit.refold import Facts, Version


def named_by_letters(snapshot: Snapshot) -> set[str]:
    """Return the cases that any dead letter, open or resolved, names."""
    return {row[0] for row in snapshot.rows("SELECT DISTINCT unnest(case_ids) FROM dead_letter")}


def check_contents(check: Check, case: CaseRows) -> None:
    """Prove, as check ``log``, that what the log holds still is what its digest says."""
    for row in case.rows:
        check.compared += 1
        stored = content_digest(row.type, row.case_id, row.occurred_at, row.payload.encode())
        check.expect(stored == row.digest, row.event_id, "stored content is not what was received")


def check_fold(check: Check, case: CaseRows, named: Set[str]) -> Facts:
    """Prove that a projection is the fold of its log, and return that fold.

    A projection without a log is right only where a dead letter names the case.
    """
    check.compared += 1
    facts = refold.refold(_versions(check, case.rows))
    shown = case.projection
    if shown is None:
        check.found(case.case_id, "in the log without a projection")
        return facts
    if not case.rows and case.case_id not in named:
        check.found(case.case_id, "a projection without events that no dead letter names")
    check.expect(
        shown.events == len(case.rows),
        case.case_id,
        f"counts {shown.events} events, the log holds {len(case.rows)}",
    )
    check.expect(shown.digest == refold.digest(facts), case.case_id, "digest is not of this fold")
    order = refold.current_order(facts)
    order_id = order.order_id if order else None
    check.expect(shown.order_id == order_id, case.case_id, "another order is the current one")
    return facts


def _versions(check: Check, rows: tuple[ProjectionRow, ...]) -> list[Version]:
    versions = []
    for row in rows:
        model = EVENT_TYPES.get(row.type)
        if model is None:
            check.found(row.event_id, "its type is not in the vocabulary")
            continue
        try:
            event = model.model_validate_json(row.payload)
        except ValidationError:
            check.found(row.event_id, "its payload does not fit its type")
            continue
        versions.append(Version(row.occurred_at, row.event_id, row.type, event))
    return versions
