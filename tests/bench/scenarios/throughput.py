"""Throughput of each contender on a history that is on the topics before it starts.

Contenders take turns in each round. Each must reach the result that the domain alone reaches, event
by event, without Kafka, database and concurrency; the figures of one that differs do not count.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from streams.embedded.errors import EmbeddedError
from tests.bench.history import History
from tests.bench.replay import truth_of
from tests.bench.results import Contest, Spread, Throughput
from tests.bench.roster import Contender
from tests.bench.run import run
from tests.bench.stage import Stage
from tests.bench.watch import Stalled, Watched
from tests.bench.work import Work

Say = Callable[[str], None]
_BROKEN = (Stalled, EmbeddedError, subprocess.SubprocessError, OSError, ImportError)
"""A contender that can't be built or run is shown as failed; the others go on."""


def take(
    stage: Stage, contenders: Sequence[Contender], history: History, rounds: int, say: Say
) -> Throughput:
    """Measure the contenders in turns. Blocks."""
    truth = truth_of(history)
    say(f"publishing {len(history.records):,} records")
    stage.fill(history.records)
    tries = {contender.name: _Tries() for contender in contenders}
    ready = []
    for contender in contenders:
        try:
            contender.prepare()
        except _BROKEN as error:
            tries[contender.name].failures.append(f"can't be built: {error}")
            say(f"{contender.name}: {tries[contender.name].latest}")
        else:
            ready.append(contender)
    for number in range(1, rounds + 1):
        for contender in ready:
            tried = tries[contender.name]
            try:
                watched, work = run(stage, contender, history)
            except _BROKEN as error:
                tried.failures.append(f"round {number}: {error}")
            else:
                tried.watched.append(watched)
                found = differences(contender, truth, work, len(history.records))
                tried.failures += [f"round {number}: {what}" for what in found]
            say(f"round {number}: {contender.name}: {tried.latest}")
    return Throughput(
        events=history.events,
        records=len(history.records),
        rounds=rounds,
        contenders={c.name: tries[c.name].contest(c) for c in contenders},
    )


def differences(contender: Contender, truth: Work, work: Work, records: int) -> list[str]:
    """Return how a contender's result differs from the expected one."""
    if contender.writes:
        return truth.differences(work)
    # It drops no duplicates: it must count every record as valid.
    return [] if work.events == records else [f"{work.events} of {records} records found valid"]


@dataclass
class _Tries:
    watched: list[Watched] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def latest(self) -> str:
        if self.failures:
            return f"FAILED: {self.failures[-1]}"
        one = self.watched[-1]
        return f"{one.rate:,.0f} events/s, {one.cpu_us:,.0f} us CPU per event"

    def contest(self, contender: Contender) -> Contest:
        taken = self.watched
        return Contest(
            rate=Spread.of(w.rate for w in taken),
            cpu_us=Spread.of(w.cpu_us for w in taken),
            server_cpu_us=(Spread.of(w.server_cpu_us for w in taken) if contender.writes else None),
            rss_mib=Spread.of(w.peak_rss_mib for w in taken),
            failures=self.failures,
        )
