"""Streams to publish in pipeline tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import orjson

from schemas.codec import Outgoing
from streams.simulate.publishing import Kind, Planned
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream
from tests.faults.due import appeals, terms


def history(*, seed: int = 1, days: int = 60, scale: float = 0.5, **faults: float) -> list[Planned]:
    """Return a stream that ends now, with duplicates and disorder unless told otherwise.

    It is for processes of ours, which decide by a real clock: what a test expects of it must hold
    on any date.
    """
    end = datetime.now(UTC)
    chosen: dict[str, Any] = {"duplicates": 0.1, "disorder": 0.1, "late": 0.05, **faults}
    return list(
        stream(
            SimulationSettings(
                seed=seed, scale=scale, start=end - timedelta(days=days), end=end, **chosen
            )
        )
    )


def due_on_any_day(now: datetime) -> list[Outgoing]:
    """Return the records of a case that falls due within the next day of any date.

    Most terms end with a working day, so in other cases nothing is due before a day off.
    """
    due = now + timedelta(hours=12)
    return [record for _, record in appeals(Random(1), "due-on-any-day", 1, now, due)]


def under_review_on_any_day(now: datetime) -> list[Outgoing]:
    """Return the records of a case of which a review stands on any date.

    Of a generated stream, few cases come that far, and on some days none.
    """
    return [record for _, record in terms(Random(1), "under-review", 1, now - timedelta(days=90))]


def valid_ids(planned: list[Planned]) -> set[UUID]:
    """Return the ids of the events that must end up in the log."""
    return {event_id(item.record) for item in planned if item.kind is not Kind.MALFORMED}


def event_id(record: Outgoing) -> UUID:
    """Return the id of an event, wherever its record holds it."""
    headers = dict(record.headers)
    if "ce_id" in headers:
        return UUID(headers["ce_id"].decode())
    name: str = orjson.loads(record.value)["id"]
    return UUID(name)
