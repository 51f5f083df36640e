"""Each case once, in case-id order, with its log and its projection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from streams.audit.database import Snapshot


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event as stored in the log."""

    case_id: str
    event_id: UUID
    source: str
    type: str
    occurred_at: datetime
    payload: str
    digest: bytes
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Projection:
    """Projection of a case as stored; the fields that the audit compares."""

    case_id: str
    digest: bytes | None
    events: int
    order_id: str | None
    reference_digest: str | None
    updated_at: datetime | None
    next_check_at: datetime | None
    next_reason: str | None
    owner: str | None
    office_id: str | None
    ended_at: datetime | None
    raised_at: datetime | None
    """When an escalation of the case was last raised."""
    in_open_letter_since: datetime | None
    """When the oldest open dead letter came that names the case; it asks for attention."""


@dataclass(frozen=True, slots=True)
class StandingEscalation:
    """One standing escalation."""

    escalation_id: UUID
    number: int
    """Its round."""
    rule_id: str

    @property
    def reference(self) -> str:
        """How findings name it."""
        return f"{self.escalation_id}/{self.number}"


@dataclass(frozen=True, slots=True)
class CaseRows:
    """A case that is in the log, in the projections, or in both, and what stands on it."""

    case_id: str
    events: tuple[EventRow, ...]
    projection: Projection | None
    standing: tuple[StandingEscalation, ...]


def cases(snapshot: Snapshot) -> Iterator[CaseRows]:
    """Yield every case, in case-id order; holds at most one case in memory."""
    events = snapshot.rows(
        """
        SELECT case_id, event_id, source, type, occurred_at, payload::text, digest, recorded_at
        FROM case_event ORDER BY case_id COLLATE "C"
        """
    )
    projections = snapshot.rows(
        """
        SELECT case_id, digest, events, order_id, reference_digest, updated_at, next_check_at,
               next_reason, owner, office_id, ended_at, raised.last, named.since
        FROM case_projection
        LEFT JOIN (SELECT case_id, max(raised_at) AS last FROM escalation GROUP BY case_id)
            AS raised USING (case_id)
        LEFT JOIN (
            SELECT unnest(case_ids) AS case_id, min(recorded_at) AS since FROM dead_letter
            WHERE resolved_at IS NULL GROUP BY 1) AS named USING (case_id)
        ORDER BY case_id COLLATE "C"
        """
    )
    escalations = groupby(
        snapshot.rows(
            """
            SELECT case_id, escalation_id, round, rule_id FROM escalation
            WHERE withdrawn_at IS NULL ORDER BY case_id COLLATE "C", escalation_id, round
            """
        ),
        key=itemgetter(0),
    )
    logs = groupby(events, key=itemgetter(0))
    log, projected = _next_log(logs), _next(projections)
    raised = next(escalations, None)
    while log is not None or projected is not None:
        case_id = min(side[0] for side in (log, projected) if side is not None)
        of_case: tuple[EventRow, ...] = ()
        projection = None
        if log is not None and log[0] == case_id:
            of_case, log = log[1], _next_log(logs)
        if projected is not None and projected[0] == case_id:
            projection, projected = Projection(*projected), _next(projections)
        while raised is not None and raised[0] < case_id:  # in neither: other checks find it
            raised = next(escalations, None)
        standing: tuple[StandingEscalation, ...] = ()
        if raised is not None and raised[0] == case_id:
            standing = tuple(StandingEscalation(*rest) for _, *rest in raised[1])
            raised = next(escalations, None)
        yield CaseRows(case_id, of_case, projection, standing)


def _next(rows: Iterator[tuple[Any, ...]]) -> tuple[Any, ...] | None:
    return next(rows, None)


def _next_log(
    logs: Iterator[tuple[str, Iterator[tuple[Any, ...]]]],
) -> tuple[str, tuple[EventRow, ...]] | None:
    group = next(logs, None)
    return None if group is None else (group[0], tuple(EventRow(*row) for row in group[1]))
