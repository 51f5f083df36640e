"""Thousands of deadlines fall due in one second while records flow in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

from schemas.codec import Outgoing, encode
from schemas.events import Event
from schemas.types import Guard
from streams.cli.latency import percentile
from tests.domain import given
from tests.faults.arena import Arena, now
from tests.faults.results import Outcome
from tests.pipeline.histories import valid_ids

_RULE: Final = "reinvite-after-first-miss"
_RATE: Final = 50


def take(arena: Arena) -> Outcome:
    """Let a suspensive appeal end in many cases within the same second; each is escalated then.

    Lateness is from the instant a guard ended to the escalation; beside it, what intake took from
    the sending of a record to its place in the log, at a steady rate.
    """
    cases = arena.size(10_000, 200)
    ahead = timedelta(seconds=8 + cases / 100)
    due = (now() + ahead).replace(microsecond=0)
    outcome = arena.outcome("deadlines due at once")
    arena.worker().start()
    begun = now()
    facts = list(_cases(arena.dice, cases, begun, due))
    arena.stage.publish(record for _, record in facts)
    flow = arena.course(_RATE * arena.size(20, 4), duplicates=0)
    _wait_until(due - timedelta(seconds=2))
    ready = arena.stage.query("SELECT count(*) FROM case_projection WHERE next_check_at >= %s", due)
    outcome.expect(ready[0][0] >= cases, f"{ready[0][0]} of {cases} were known in time")
    sent: dict[UUID, datetime] = {}

    def noted() -> Iterator[Outgoing]:
        for item in flow.planned:
            (event_id,) = valid_ids([item])
            sent[event_id] = now()
            yield item.record

    with arena.flowing(noted(), _RATE):
        pass
    outcome.runs = cases
    ids = {event_id for event_id, _ in facts} | flow.ids
    arena.settle(outcome, ids, set_aside=0, patience=300)
    late = [
        float(row[0])
        for row in arena.stage.query(
            "SELECT extract(epoch FROM raised_at - due_at) FROM escalation"
            " WHERE rule_id = %s AND due_at >= %s AND due_at < %s",
            _RULE,
            due,
            due + timedelta(seconds=1),
        )
    ]
    outcome.expect(len(late) == cases, f"{len(late)} of {cases} deadlines fired")
    outcome.expect(min(late, default=0) >= 0, "one fired before it was due")
    spans = [
        (at - sent[event_id]).total_seconds()
        for event_id, at in arena.stage.query("SELECT event_id, recorded_at FROM case_event")
        if event_id in sent
    ]
    for share in (50, 99):
        outcome.figures[f"lateness p{share}, s"] = percentile(late, share) if late else -1
        outcome.figures[f"intake p{share} beside it, s"] = percentile(spans, share)
    return outcome


def _cases(
    dice: Random, number: int, at: datetime, due: datetime
) -> Iterator[tuple[UUID, Outgoing]]:
    """Yield, for each case, an order, a miss, and an appeal that ends within the due second."""
    for case in range(number):
        ends = due + timedelta(microseconds=dice.randrange(1_000_000))
        facts = (
            given.order(notified_at=at - timedelta(days=40)),
            given.miss(scheduled_at=at - timedelta(days=10)),
            given.circumstance(
                Guard.APPEAL_SUSPENSIVE_PENDING, effective_at=at - timedelta(days=20)
            ),
            given.circumstance(Guard.APPEAL_SUSPENSIVE_PENDING, ends=True, effective_at=ends),
        )
        for fact in facts:
            event_id = UUID(int=dice.getrandbits(128), version=4)
            yield event_id, _record(fact.event, event_id, f"case-{case:08d}", at)


def _record(event: Event, event_id: UUID, case_id: str, at: datetime) -> Outgoing:
    return encode(event, event_id=event_id, case_id=case_id, source="/test", time=at)


def _wait_until(instant: datetime) -> None:
    time.sleep(max(0.0, (instant - now()).total_seconds()))
