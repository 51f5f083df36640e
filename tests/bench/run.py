"""Runs one contender on one history, and returns its figures and its result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from tests.bench.database import Connection
from tests.bench.history import History
from tests.bench.programs import Running
from tests.bench.roster import Contender
from tests.bench.stage import Stage, stopping
from tests.bench.watch import Stalled, Watch, Watched
from tests.bench.work import Work, read

_PATIENCE = 600.0


def run(stage: Stage, contender: Contender, history: History) -> tuple[Watched, Work]:
    """Start a contender on the records of the topics, and stop it when all are processed. Blocks.

    Raises:
        Stalled: it did not finish.
    """
    if not contender.writes:
        return _self_measured(stage, contender, history)
    with _watching(stage, contender) as (watch, conn):
        return watch.until(history.events), read(conn)


def work_of(stage: Stage, contender: Contender, history: History) -> Work:
    """Do the same and return only the result, for any number of events. Blocks.

    Raises:
        Stalled: it did not finish.
    """
    if not contender.writes:
        return _self_measured(stage, contender, history)[1]
    with _watching(stage, contender) as (watch, conn):
        watch.settle(history.events)
        return read(conn)


@contextmanager
def _watching(stage: Stage, contender: Contender) -> Iterator[tuple[Watch, Connection]]:
    place = stage.place(contender.name)
    with (
        stage.databases.fresh(place / "postgres") as database,
        database.connect() as conn,
        stopping(contender.start(place / "run", stage.environment(database))) as running,
    ):
        yield Watch(database, conn, running), conn


def _self_measured(stage: Stage, contender: Contender, history: History) -> tuple[Watched, Work]:
    place = stage.place(contender.name)
    place.mkdir(parents=True)
    dump = place / "dump.json"
    environment = stage.environment() | {
        "ICAM_BENCH_RECORDS": str(len(history.records)),
        "ICAM_BENCH_DUMP": str(dump),
    }
    with stopping(contender.start(place / "run", environment)) as running:
        for program in running:
            _await_end(program)
    figures = orjson.loads(dump.read_bytes())
    watched = Watched(
        events=figures["events"],
        seconds=figures["seconds"],
        cpu_us=1e6 * figures["cpu_seconds"] / max(1, figures["events"]),
        server_cpu_us=0,
        peak_rss_mib=figures["rss_kib"] / 1024,
    )
    return watched, Work.of(figures["events"], (), ())


def _await_end(program: Running) -> None:
    deadline = time.monotonic() + _PATIENCE
    while program.exit_code is None:
        if time.monotonic() > deadline:
            raise Stalled(f"it did not end within {_PATIENCE:g} s")
        time.sleep(0.05)
    if program.exit_code:
        output = program.log.read_text(errors="replace")[-600:]
        raise Stalled(f"it ended with code {program.exit_code}: {output}")
