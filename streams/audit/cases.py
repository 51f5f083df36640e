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


@dataclass(frozen=True, slots=True)
class CaseRows:
    """A case that is in the log, in the projections, or in both."""

    case_id: str
    events: tuple[EventRow, ...]
    projection: Projection | None


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
               next_reason, owner, office_id, ended_at
        FROM case_projection ORDER BY case_id COLLATE "C"
        """
    )
    logs = groupby(events, key=itemgetter(0))
    log, projected = _next_log(logs), _next(projections)
    while log is not None or projected is not None:
        case_id = min(side[0] for side in (log, projected) if side is not None)
        of_case: tuple[EventRow, ...] = ()
        projection = None
        if log is not None and log[0] == case_id:
            of_case, log = log[1], _next_log(logs)
        if projected is not None and projected[0] == case_id:
            projection, projected = Projection(*projected), _next(projections)
        yield CaseRows(case_id, of_case, projection)


def _next(rows: Iterator[tuple[Any, ...]]) -> tuple[Any, ...] | None:
    return next(rows, None)


def _next_log(
    logs: Iterator[tuple[str, Iterator[tuple[Any, ...]]]],
) -> tuple[str, tuple[EventRow, ...]] | None:
    group = next(logs, None)
    return None if group is None else (group[0], tuple(EventRow(*row) for row in group[1]))
