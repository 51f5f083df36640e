"""SIGSTOP for twice the session timeout: another worker takes over, then the first wakes up."""

from __future__ import annotations

import os
import signal
import time
from functools import partial

from streams.embedded.worker import WorkerProcess
from tests.faults.arena import Arena, now
from tests.faults.results import Outcome
from tests.pipeline.stage import until


def take(arena: Arena) -> Outcome:
    """Freeze the active worker, let another take over, resume it; it must do no damage.

    A resumed worker works again, or exits with 1 to be restarted.
    """
    pauses = arena.size(30, 1)
    course = arena.course(arena.size(15_000, 800), malformed=0.005)
    outcome = arena.outcome("SIGSTOP past the session")
    session = float(arena.stage.environment["ICAM_KAFKA__SESSION_TIMEOUT_SECONDS"])
    active = _started(arena)
    ended = 0
    for portion in course.portions(pauses):
        third = len(portion) // 3
        published = now()
        arena.stage.publish(portion[:third])
        arena.resumed(published, patience=60)
        os.kill(active.pid, signal.SIGSTOP)
        stopped = time.monotonic()
        arena.stage.publish(portion[third : 2 * third])
        begun = now()
        successor = _started(arena)
        resumed = arena.resumed(begun)
        if resumed is not None:
            outcome.resume_seconds.append(resumed)
        time.sleep(max(0.0, 2 * session - (time.monotonic() - stopped)))
        os.kill(active.pid, signal.SIGCONT)
        arena.stage.publish(portion[2 * third :])
        zombie = active
        until(partial(_awake, zombie), 60, "it works again, or has ended")
        code = zombie.stop()
        ended += code == 1
        outcome.expect(code in (0, 1), f"the frozen worker ended with {code}")
        outcome.runs += 1
        arena.say(f"pause {outcome.runs}: taken over after {resumed}, it ended with {code}")
        active = successor
    outcome.figures["frozen workers that ended by themselves"] = ended
    arena.settle(outcome, course.ids, dead_letters=course.broken)
    return outcome


def _awake(worker: WorkerProcess) -> bool:
    return worker.exit_code is not None or worker.ready()


def _started(arena: Arena) -> WorkerProcess:
    worker = arena.worker(ICAM_INTAKE__BATCH_MAX="20")
    worker.start(wait=False)
    return worker
