"""Every record sent one to five times, in any order, up to 400 days late."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import orjson

from schemas.codec import Outgoing
from schemas.envelope import STRUCTURED
from tests.faults.arena import Arena
from tests.faults.results import Outcome

_DAYS: Final = 400


def take(arena: Arena) -> Outcome:
    """Publish a history of 400 days in random order with duplicates; each event has one effect."""
    course = arena.course(arena.size(20_000, 1_000), days=_DAYS, duplicates=0, disorder=0, late=0)
    outcome = arena.outcome("disorder and duplicates")
    records = [record for record in course.records for _ in range(arena.dice.randint(1, 5))]
    arena.dice.shuffle(records)
    arena.worker().start()
    arena.stage.publish(records)
    outcome.runs = len(records)
    outcome.figures["latest event, days late"] = _latest(course.records)
    arena.settle(outcome, course.ids, dead_letters=0, patience=600)
    return outcome


def _latest(records: list[Outgoing]) -> float:
    """Return the age of the oldest fact when it is published."""
    oldest = min(_time(record) for record in records)
    return (datetime.now(UTC) - oldest).total_seconds() / 86_400


def _time(record: Outgoing) -> datetime:
    headers = dict(record.headers)
    if headers["content-type"] == STRUCTURED.encode():
        return datetime.fromisoformat(orjson.loads(record.value)["time"])
    return datetime.fromisoformat(headers["ce_time"].decode())
