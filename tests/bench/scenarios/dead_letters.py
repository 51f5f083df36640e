"""Throughput while many dead letters are open.

They are of other cases than the events. They are inserted right before the run, without statistics,
as a flood of them would be; autovacuum may come or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.bench.database import Connection
from tests.bench.history import History, history
from tests.bench.replay import truth_of
from tests.bench.results import DeadLetters, Letters, Spread
from tests.bench.roster import ROSTER
from tests.bench.stage import Stage, stopping
from tests.bench.watch import Watch, Watched
from tests.bench.work import Work, read

Say = Callable[[str], None]


def take(stage: Stage, events: int, levels: Sequence[int], rounds: int, say: Say) -> DeadLetters:
    """Measure ``rounds`` times with each number of open dead letters, in turns. Blocks."""
    given = history(events, seed=3)
    truth = truth_of(given)
    stage.fill(given.records)
    taken: dict[int, list[Watched]] = {level: [] for level in levels}
    failures: list[str] = []
    for number in range(1, rounds + 1):
        for level in levels if number % 2 else reversed(levels):
            watched, work = _one(stage, given, level)
            taken[level].append(watched)
            failures += truth.differences(work)
            say(f"round {number}: with {level:,} open dead letters {watched.rate:,.0f} events/s")
    return DeadLetters(
        events=events,
        levels=[
            Letters(
                letters=level,
                rate=Spread.of(w.rate for w in taken[level]),
                server_cpu_us=Spread.of(w.server_cpu_us for w in taken[level]),
            )
            for level in levels
        ],
        failures=failures,
    )


def _one(stage: Stage, given: History, letters: int) -> tuple[Watched, Work]:
    place, worker = stage.place("dead-letters"), ROSTER["worker"]
    with (
        stage.databases.fresh(place / "postgres") as database,
        database.connect() as conn,
    ):
        if letters:
            open_letters(conn, letters)
        environment = stage.environment(database)
        with stopping(worker.start(place / "run", environment)) as running:
            watched = Watch(database, conn, running).until(given.events)
            return watched, read(conn)


def open_letters(conn: Connection, number: int) -> None:
    """Insert open dead letters, each about another case."""
    conn.execute(
        """
        INSERT INTO dead_letter (topic, "partition", "offset", key, value, headers, reason, detail,
                                 case_ids)
        SELECT 'icam.interview-completed.v1', 0, 1000000000 + n, convert_to(name, 'UTF8'),
               convert_to('{"held_at": "never"}', 'UTF8'), '[]', 'schema', 'held_at: no instant',
               ARRAY[name]
        FROM generate_series(1, %s) AS n, format('letter-%%s', lpad(n::text, 8, '0')) AS name
        """,
        [number],
    )
