"""Time until a new worker commits its first event, from its start and from its assignment."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from streams.embedded.worker import WorkerProcess
from tests.bench.database import one
from tests.bench.history import History
from tests.bench.results import ColdStart, Spread
from tests.bench.stage import Stage, stopping
from tests.bench.watch import Stalled

_PATIENCE = 60.0


def take(stage: Stage, history: History, rounds: int, say: Callable[[str], None]) -> ColdStart:
    """Start a worker ``rounds`` times on topics with a backlog. Blocks."""
    stage.fill(history.records)
    from_start, from_assignment = [], []
    for number in range(1, rounds + 1):
        begun, assigned, first = _once(stage)
        from_start.append(first - begun)
        from_assignment.append(max(0.0, first - assigned))
        say(f"round {number}: {first - begun:.1f} s, {first - assigned:.2f} s after its partitions")
    return ColdStart(from_start=Spread.of(from_start), from_assignment=Spread.of(from_assignment))


def _once(stage: Stage) -> tuple[float, float, float]:
    """Return the times of start, assignment of partitions, and first event in the database."""
    place = stage.place("cold-start")
    with stage.databases.fresh(place / "postgres") as database, database.connect() as conn:
        worker = WorkerProcess(place / "run", stage.environment(database))
        begun = time.monotonic()
        worker.start(wait=False)
        assigned = 0.0
        with stopping([worker]):
            while not one(conn, "SELECT EXISTS (SELECT FROM case_event)"):
                if worker.exit_code is not None:
                    raise Stalled(f"the worker ended with code {worker.exit_code}")
                if not assigned and _assigned(worker):
                    assigned = time.monotonic()
                if time.monotonic() - begun > _PATIENCE:
                    raise Stalled(f"no event within {_PATIENCE:g} s")
                time.sleep(0.005)
            first = time.monotonic()
    return begun, assigned or first, first


def _assigned(worker: WorkerProcess) -> bool:
    with suppress(ValueError):  # before it is ready, a probe fails without a body
        return bool(worker.probe("readyz")[1].get("partitions_assigned"))
    return False
