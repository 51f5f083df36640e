"""SIGTERM in the middle of a batch."""

from __future__ import annotations

import time
from typing import Final

from tests.faults.arena import Arena, now
from tests.faults.results import Outcome

GRACE_SECONDS: Final = 30
"""The default grace period of a Kubernetes pod, in seconds."""


def take(arena: Arena) -> Outcome:
    """Send SIGTERM to a working worker; it must exit with 0 in time, each time."""
    stops = arena.size(50, 2)
    course = arena.course(arena.size(15_000, 800), malformed=0.005)
    outcome = arena.outcome("SIGTERM mid-batch")
    slowest = 0.0
    for portion in course.portions(stops):
        arena.stage.publish(portion)
        worker = arena.worker(ICAM_INTAKE__BATCH_MAX="50")
        started = now()
        worker.start(wait=False)
        resumed = arena.resumed(started)
        if resumed is not None:
            outcome.resume_seconds.append(resumed)
        time.sleep(arena.dice.uniform(0, 0.1))
        begun = time.monotonic()
        code = worker.stop(GRACE_SECONDS)
        slowest = max(slowest, time.monotonic() - begun)
        outcome.expect(code == 0, f"stop {outcome.runs + 1} ended with {code}")
        outcome.runs += 1
        arena.say(f"stop {outcome.runs}: exit code {code}, resumed after {resumed}")
    outcome.figures["slowest stop, s"] = slowest
    arena.worker().start()
    arena.settle(outcome, course.ids, dead_letters=course.broken)
    return outcome
