"""A rebalance storm: workers join and leave repeatedly while records arrive."""

from __future__ import annotations

import signal
import time
from datetime import datetime
from itertools import pairwise
from typing import Final

from streams.embedded import process
from streams.embedded.worker import WorkerProcess
from tests.faults.arena import Arena, now
from tests.faults.results import Outcome
from tests.pipeline.stage import until

DRAINED_SECONDS: Final = 60
_MOST: Final = 3


def take(arena: Arena) -> Outcome:
    """Change the membership at intervals; afterwards the backlog is processed in time.

    The time to resume is here the longest standstill after each change.
    """
    seconds, interval = arena.size(600, 9), 3 if arena.short else 5
    rate = 60
    course = arena.course(seconds * rate, malformed=0.005)
    outcome = arena.outcome("rebalance storm")
    changes: list[datetime] = []
    members: list[WorkerProcess] = [_joined(arena)]
    until(members[0].ready, 60, "the first worker is ready")
    with arena.flowing(course.records, rate):
        for _ in range(seconds // interval):
            changes.append(now())
            joins = len(members) == 1 or (len(members) < _MOST and arena.dice.random() < 0.5)
            if joins:
                members.append(_joined(arena))
            else:
                leaving = members.pop(arena.dice.randrange(len(members)))
                # Before it is ready, SIGTERM may reach the interpreter before our handler is set.
                began = leaving.probe("livez")[0] != 0
                code = leaving.stop()
                outcome.expect(
                    code == 0 or (code == -signal.SIGTERM and not began),
                    f"a worker left with {code}: {process.tail(leaving.log)}",
                )
            outcome.runs += 1
            arena.say(f"change {outcome.runs}: {len(members)} workers")
            time.sleep(max(0.0, interval - (now() - changes[-1]).total_seconds()))
    ended = now()
    until(arena.stage.drained, 300, "the stream is processed after the storm")
    drained = (now() - ended).total_seconds()
    outcome.figures["drained after the storm, s"] = drained
    outcome.expect(drained <= DRAINED_SECONDS, f"drained {drained:.0f} s after the storm")
    outcome.resume_seconds = _standstills(arena, [*changes, ended])
    arena.settle(outcome, course.ids, dead_letters=course.broken)
    return outcome


def _joined(arena: Arena) -> WorkerProcess:
    worker = arena.worker()
    worker.start(wait=False)
    return worker


def _standstills(arena: Arena, changes: list[datetime]) -> list[float]:
    """Return the longest time without a new event after each change but the last."""
    taken = arena.stage.query("SELECT recorded_at FROM case_event ORDER BY recorded_at")
    instants = [row[0] for row in taken]
    found = []
    for begun, ended in pairwise(changes):
        after = next((at for at in instants if at >= ended), ended)
        marks = [begun, *(at for at in instants if begun < at < ended), after]
        found.append(max((b - a).total_seconds() for a, b in pairwise(marks)))
    return found
