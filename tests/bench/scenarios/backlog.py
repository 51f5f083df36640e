"""One worker drains a large backlog; its memory must stay flat.

The database is kept for the scenario ``rebuild``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from schemas.codec import Outgoing
from tests.bench.history import clone, history
from tests.bench.replay import truth_of
from tests.bench.results import Backlog
from tests.bench.roster import ROSTER
from tests.bench.stage import Stage, stopping
from tests.bench.watch import Watch
from tests.bench.work import read

_ORIGINALS = 50_000


def take(stage: Stage, place: Path, events: int, say: Callable[[str], None]) -> Backlog:
    """Publish ``events`` events, then let one worker drain them into ``place``. Blocks."""
    original = history(min(events, _ORIGINALS))
    copies = max(1, round(events / original.events))
    wanted = copies * original.events
    truth = truth_of(original)

    def records() -> Iterator[Outgoing]:
        for number in range(copies):
            yield from clone(original.records, number)

    say(f"publishing {copies * len(original.records):,} records")
    stage.fill(records())
    run = stage.place("backlog")
    with stage.databases.fresh(place, keep=True) as database, database.connect() as conn:
        with stopping(ROSTER["worker"].start(run, stage.environment(database))) as running:
            watched = Watch(database, conn, running).until(wanted)
        work = read(conn)
    say(f"drained at {watched.rate:,.0f} events/s, at most {watched.peak_rss_mib:,.0f} MiB")
    failures = [
        f"{found} {name} instead of {should}"
        for name, found, should in (
            ("events", work.events, wanted),
            ("projections", len(work.projections), copies * len(truth.projections)),
            ("standing escalations", len(work.escalations), copies * len(truth.escalations)),
        )
        if found != should
    ]
    return Backlog(
        events=wanted,
        seconds=watched.seconds,
        rate=watched.rate,
        cpu_us=watched.cpu_us,
        server_cpu_us=watched.server_cpu_us,
        rss_mib=watched.rss_mib,
        peak_rss_mib=watched.peak_rss_mib,
        failures=failures,
    )
