"""SIGKILL, half at random moments, half at the named crash points in turn."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from random import Random
from typing import Final

from streams.embedded.worker import WorkerProcess
from streams.runtime import crash
from tests.faults.arena import Arena, now
from tests.faults.results import Outcome

RESUME_P99_SECONDS: Final = 20
_SMALL = {"ICAM_INTAKE__BATCH_MAX": "5"}
"""Small batches: many transactions give many moments for a kill."""
_RARE: Final = ("before_ack", "before_publish", "after_publish", "before_mark")


def take(arena: Arena) -> Outcome:
    """Kill the worker repeatedly while records wait; the last one processes the backlog."""
    kills = arena.size(200, 4)
    course = arena.course(arena.size(20_000, 600), malformed=0.005)
    outcome = arena.outcome("SIGKILL")
    reached, missed = Counter[str](), Counter[str]()
    wishes = list(_wishes(arena.dice, kills))
    for portion, wish in zip(course.portions(kills), wishes, strict=True):
        arena.stage.publish(portion)
        worker = arena.worker(None, **_SMALL, **({crash.VARIABLE: wish} if wish else {}))
        started = now()
        worker.start(wait=False)
        if wish:
            resumed = arena.resumed(started, gone=_ended(worker))
            died = _wait(worker, 30)
            (reached if died else missed)[wish.partition(":")[0]] += 1
        elif arena.dice.random() < 0.25:
            time.sleep(arena.dice.uniform(0, 3))  # while it starts
            resumed = arena.resumed(started, patience=0.1)
        else:
            resumed = arena.resumed(started)
            time.sleep(arena.dice.uniform(0, 0.2))
        worker.kill()
        outcome.runs += 1
        outcome.kills += 1
        if resumed is not None:
            outcome.resume_seconds.append(resumed)
        arena.say(f"kill {outcome.kills}: {wish or 'random'}, resumed after {resumed}")
    last = arena.worker()
    started = now()
    last.start(wait=False)
    if (resumed := arena.resumed(started, patience=30)) is not None:
        outcome.resume_seconds.append(resumed)
    for point, number in sorted(reached.items()):
        outcome.figures[f"kills at {point}"] = number
    outcome.figures["crash points not reached in time"] = missed.total()
    outcome.expect(reached.total() > 0, "no named point was reached")
    p99 = outcome.resume(99)
    outcome.expect(
        p99 is not None and p99 <= RESUME_P99_SECONDS, f"resume p99 over {RESUME_P99_SECONDS} s"
    )
    arena.settle(outcome, course.ids, dead_letters=course.broken)
    return outcome


def _wishes(dice: Random, kills: int) -> Iterator[str | None]:
    """Yield the crash point and passage of each kill; None for a random moment."""
    points = cycle(dice.sample(crash.POINTS, len(crash.POINTS)))
    for number in range(kills):
        if number % 2:
            yield None
        else:
            point = next(points)
            yield f"{point}:{dice.randint(1, 2 if point in _RARE else 6)}"


def _ended(worker: WorkerProcess) -> Callable[[], bool]:
    return lambda: worker.exit_code is not None


def _wait(worker: WorkerProcess, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while worker.exit_code is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return worker.exit_code is not None
