"""Throughput with few and with many stored cases.

The stored cases are copies of processed ones; the measured events belong to new cases. The two
databases take turns.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench.database import Database, one, started
from tests.bench.fill import fill
from tests.bench.history import History, clone, history
from tests.bench.replay import truth_of
from tests.bench.results import Growth, Spread
from tests.bench.roster import ROSTER
from tests.bench.stage import Stage, stopping
from tests.bench.watch import Watch, Watched
from tests.bench.work import Work, read

_MODELS = 5_000
"""Events of the copied cases."""


def take(
    stage: Stage,
    events: int,
    sizes: Sequence[tuple[int, int]],
    rounds: int,
    say: Callable[[str], None],
) -> Growth:
    """Measure ``rounds`` times with few and with many stored cases. Blocks.

    ``sizes`` are the cases and the events that are stored at least, of both databases.
    """
    home = stage.place("growth")
    _models(stage, home)
    stored, taken = [0, 0], [list[Watched](), list[Watched]()]
    held = [0, 0]
    failures: list[str] = []
    original = history(events)
    with ExitStack() as stack:
        databases = []
        for which, (cases, least) in enumerate(sizes):
            place = home / f"stored-{cases}"
            subprocess.run(["cp", "-a", "--reflink=auto", home / "models", place], check=True)
            stack.callback(shutil.rmtree, place, ignore_errors=True)
            databases.append(stack.enter_context(started(place)))
            with databases[which].connect() as conn:
                stored[which] = fill(conn, cases, least)
                held[which] = int(one(conn, "SELECT count(*) FROM case_event"))
            say(f"{stored[which]:,} stored cases, {held[which]:,} events")
        for number in range(1, rounds + 1):
            prefix = f"round{number}-"
            fresh = History(
                tuple(clone(original.records, number, prefix.encode())), original.events
            )
            truth = truth_of(fresh)
            stage.fill(fresh.records)
            for which in (0, 1) if number % 2 else (1, 0):
                watched, work = _one(stage, databases[which], fresh, prefix)
                taken[which].append(watched)
                failures += truth.differences(work)
                say(f"round {number}: with {stored[which]:,} cases {watched.rate:,.0f} events/s")
    few, many = taken
    return Growth(
        events=events,
        few_cases=stored[0],
        many_cases=stored[1],
        many_events=held[1],
        few=Spread.of(w.rate for w in few),
        many=Spread.of(w.rate for w in many),
        few_server_cpu_us=Spread.of(w.server_cpu_us for w in few),
        many_server_cpu_us=Spread.of(w.server_cpu_us for w in many),
        failures=failures,
    )


def _models(stage: Stage, home: Path) -> None:
    models = history(_MODELS, seed=7)
    stage.fill(models.records)
    with (
        stage.databases.fresh(home / "models", keep=True) as database,
        database.connect() as conn,
        stopping(ROSTER["worker"].start(home / "run", stage.environment(database))) as running,
    ):
        Watch(database, conn, running).until(models.events)


def _one(stage: Stage, database: Database, fresh: History, prefix: str) -> tuple[Watched, Work]:
    place = stage.place("growth-run")
    with database.connect() as conn:
        with stopping(ROSTER["worker"].start(place, stage.environment(database))) as running:
            watched = Watch(database, conn, running, prefix).until(fresh.events)
        return watched, read(conn, prefix)
