"""Runs one contender on one history, and returns its figures and its result."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import orjson

from tests.bench import published
from tests.bench.database import Connection, one
from tests.bench.history import History
from tests.bench.programs import Running
from tests.bench.published import Groups, Published
from tests.bench.roster import Contender
from tests.bench.stage import Stage, stopping
from tests.bench.watch import Stalled, Watch, Watched
from tests.bench.work import Work, read

_PATIENCE = 600.0


@dataclass(frozen=True)
class Done:
    """What a contender left behind."""

    work: Work
    published: Published = field(default_factory=lambda: Published({}))
    groups: Mapping[str, Groups] = field(default_factory=dict)
    """The events of each case that were decided together, in order."""


def run(stage: Stage, contender: Contender, history: History) -> tuple[Watched, Done]:
    """Start a contender on the records of the topics, and stop it when all are processed. Blocks.

    Raises:
        Stalled: it did not finish.
    """
    if not contender.writes:
        return _self_measured(stage, contender, history)
    since = published.ends(stage.servers)
    with _watching(stage, contender) as (watch, conn):
        watched = watch.until(history.events)
        work, groups = stored(contender, conn)
    return watched, Done(work, published.read(stage.servers, since), groups)


def work_of(stage: Stage, contender: Contender, history: History) -> Done:
    """Do the same and return only the result, for any number of events. Blocks.

    Raises:
        Stalled: it did not finish.
    """
    if not contender.writes:
        return _self_measured(stage, contender, history)[1]
    since = published.ends(stage.servers)
    with _watching(stage, contender) as (watch, conn):
        watch.settle(history.events)
        work, groups = stored(contender, conn)
    return Done(work, published.read(stage.servers, since), groups)


def stored(contender: Contender, conn: Connection) -> tuple[Work, Mapping[str, Groups]]:
    """Return what a contender stored, and which events it decided together."""
    if contender.decides:
        return read(conn), published.groups(conn)
    return Work.of(int(one(conn, "SELECT count(*) FROM case_event")), (), ()), {}


@contextmanager
def _watching(stage: Stage, contender: Contender) -> Iterator[tuple[Watch, Connection]]:
    place = stage.place(contender.name)
    with (
        stage.databases.fresh(place / "postgres", tables=stage.tables(contender)) as database,
        database.connect() as conn,
        stopping(contender.start(place / "run", stage.environment(database, contender))) as running,
    ):
        yield Watch(database, conn, running, kafka_cpu=stage.kafka_cpu), conn


def _self_measured(stage: Stage, contender: Contender, history: History) -> tuple[Watched, Done]:
    place = stage.place(contender.name)
    place.mkdir(parents=True)
    dump = place / "dump.json"
    environment = stage.environment(contender=contender) | {
        "ICAM_BENCH_RECORDS": str(len(history.records)),
        "ICAM_BENCH_DUMP": str(dump),
    }
    kafka = stage.kafka_cpu()
    with stopping(contender.start(place / "run", environment)) as running:
        for program in running:
            _await_end(program)
    used = None if kafka is None else (stage.kafka_cpu() or 0) - kafka
    figures = orjson.loads(dump.read_bytes())
    watched = Watched(
        events=figures["events"],
        seconds=figures["seconds"],
        cpu_us=1e6 * figures["cpu_seconds"] / max(1, figures["events"]),
        server_cpu_us=0,
        peak_rss_mib=figures["rss_kib"] / 1024,
        kafka_cpu_us=None if used is None else 1e6 * used / max(1, figures["events"]),
    )
    return watched, Done(Work.of(figures["events"], (), ()))


def _await_end(program: Running) -> None:
    deadline = time.monotonic() + _PATIENCE
    while program.exit_code is None:
        if time.monotonic() > deadline:
            raise Stalled(f"it did not end within {_PATIENCE:g} s")
        time.sleep(0.05)
    if program.exit_code:
        output = program.log.read_text(errors="replace")[-600:]
        raise Stalled(f"it ended with code {program.exit_code}: {output}")
