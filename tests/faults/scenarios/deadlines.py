"""Thousands of deadlines fall due in one second while records arrive."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from schemas.codec import Outgoing
from streams.cli.latency import percentile
from tests.faults.arena import Arena, NotHere, now
from tests.faults.due import APPEAL_RULE, appeals
from tests.faults.results import Outcome
from tests.pipeline.histories import event_id
from tests.pipeline.stage import until
from tests.shipped import CanNotCompile, environment, shipped

_RATE: Final = 50
_LATENESS: Final = 5.0
_SLOWER: Final = 2.0


def take(arena: Arena) -> Outcome:
    """End a suspensive appeal in many cases within one second; each case is escalated then.

    Lateness is the time from the end of a guard to the escalation. Intake is the time from sending
    a record to its commit in the log, at a steady rate: first without, then with deadlines due.
    Its limits are those of the code as shipped, so the long form runs that, compiled.

    Raises:
        NotHere: the code can't be compiled on this machine.
    """
    worker = arena.worker(None, **_code(arena))  # compiles, so before an instant is set
    cases, seconds = arena.size(10_000, 200), arena.size(20, 4)
    ahead = timedelta(seconds=20 + cases / 100 + seconds)
    due = (now() + ahead).replace(microsecond=0)
    outcome = arena.outcome("deadlines due at once")
    worker.start()
    facts = dict(appeals(arena.dice, "due", cases, now(), due))
    arena.stage.publish(facts.values())
    flow = arena.course(2 * _RATE * seconds, duplicates=0)
    without, with_due = flow.portions(2)
    until(arena.stage.drained, ahead.total_seconds(), "all cases are known")
    before = _spans(arena, without)
    ready = arena.stage.query("SELECT count(*) FROM case_projection WHERE next_check_at >= %s", due)
    outcome.expect(ready[0][0] >= cases, f"{ready[0][0]} of {cases} were known in time")
    outcome.expect(now() < due, "they were due before the flow without deadlines ended")
    _wait_until(due - timedelta(seconds=2))
    meanwhile = _spans(arena, with_due)
    outcome.runs = cases
    arena.settle(outcome, facts.keys() | flow.ids, dead_letters=0, patience=300)
    late = [
        float(row[0])
        for row in arena.stage.query(
            "SELECT extract(epoch FROM raised_at - due_at) FROM escalation"
            " WHERE rule_id = %s AND case_id LIKE 'case-due-%%' AND due_at >= %s AND due_at < %s",
            APPEAL_RULE,
            due,
            due + timedelta(seconds=1),
        )
    ]
    outcome.expect(len(late) == cases, f"{len(late)} of {cases} deadlines fired")
    outcome.expect(min(late, default=0) >= 0, "one fired before it was due")
    for share in (50, 99):
        outcome.figures[f"lateness p{share}, s"] = percentile(late, share) if late else -1
        outcome.figures[f"intake p{share} without deadlines, s"] = percentile(before, share)
        outcome.figures[f"intake p{share} with deadlines, s"] = percentile(meanwhile, share)
    if not arena.short:
        _judge(outcome)
    return outcome


def _code(arena: Arena) -> Mapping[str, str]:
    """Return the variables with which a worker runs the code as shipped; none in a short form."""
    if arena.short:
        return {}
    try:
        return environment(shipped())
    except CanNotCompile:
        missing = "the code can't be compiled: install a C compiler and the headers of Python"
        raise NotHere(missing, required_by="ICAM_REQUIRE_COMPILER") from None


def _judge(outcome: Outcome) -> None:
    """Check the figures against the limits; a short form has no limits of time."""
    late = outcome.figures["lateness p99, s"]
    outcome.expect(late <= _LATENESS, f"lateness p99 {late:.1f} s, wanted {_LATENESS:g} s at most")
    before = outcome.figures["intake p99 without deadlines, s"]
    times = outcome.figures["intake p99 with deadlines, s"] / before
    outcome.expect(
        times <= _SLOWER, f"intake p99 {times:.1f} times what it was, wanted {_SLOWER:g} at most"
    )


def _spans(arena: Arena, records: list[Outgoing]) -> list[float]:
    """Publish records at a steady rate; return the seconds until each was in the log.

    The records of the first second are excluded: they wait for the producer to start.
    """
    sent: dict[UUID, datetime] = {}

    def noted() -> Iterator[Outgoing]:
        for record in records:
            sent[event_id(record)] = now()
            yield record

    with arena.flowing(noted(), _RATE):
        pass
    ids = list(sent)
    held = "SELECT event_id, recorded_at FROM case_event WHERE event_id = any(%s)"
    until(lambda: len(arena.stage.query(held, ids)) == len(ids), 120, "all are in the log")
    counted = arena.stage.query(held, ids[_RATE:])
    return [(at - sent[known]).total_seconds() for known, at in counted]


def _wait_until(instant: datetime) -> None:
    time.sleep(max(0.0, (instant - now()).total_seconds()))
