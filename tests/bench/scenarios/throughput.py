"""Throughput of each contender on a history that is on the topics before it starts.

Contenders take turns in each round, in the other direction every second round. Each must store the
result that the domain alone reaches, event by event, without Kafka, database and concurrency, and
publish the same bytes; the figures of one that differs do not count.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaException

from streams.embedded.errors import EmbeddedError
from tests.bench.contract import Contract
from tests.bench.history import History
from tests.bench.interpreter import Interpreter, interpreter
from tests.bench.published import Published
from tests.bench.replay import Announcements, NotInHistory, truth_of
from tests.bench.results import Contest, Spread, Throughput
from tests.bench.roster import Contender
from tests.bench.run import Done, run
from tests.bench.stage import NoBase, Output, RecordsLost, Stage
from tests.bench.version import Version
from tests.bench.watch import Stalled, Watched
from tests.bench.work import Work

Say = Callable[[str], None]
BROKEN = (
    *(Stalled, EmbeddedError, subprocess.SubprocessError, OSError, ImportError),
    *(NoBase, RecordsLost, KafkaException),
)
"""A contender that can't be built or run is shown as failed; the others go on."""
_BATCH = 400
"""Events that a worker decides together, at most."""


def take(
    stage: Stage, contenders: Sequence[Contender], history: History, rounds: int, say: Say
) -> Throughput:
    """Measure the contenders in turns. Blocks."""
    expected = Expected.of(history, stage.base)
    say(f"publishing {len(history.records):,} records")
    stage.fill(history.records)
    stage.output = expected.output()
    tries = {contender.name: _Tries() for contender in contenders}
    ready = []
    for contender in contenders:
        tried = tries[contender.name]
        try:
            tried.interpreter = interpreter(contender.python(), stage.code(contender))
        except BROKEN as error:
            tried.failures.append(f"can't be built: {error}")
            say(f"{contender.name}: {tried.latest}")
        else:
            ready.append(contender)
    for number in range(1, rounds + 1):
        # Whatever gets slower during a round hits each end of the list in turn.
        for contender in ready if number % 2 else reversed(ready):
            tried = tries[contender.name]
            try:
                watched, done = run(stage, contender, history)
            except BROKEN as error:
                tried.failures.append(f"round {number}: {error}")
            else:
                tried.add(watched, done.published)
                if contender.name == "worker":  # the first of every first round
                    stage.output = Output(
                        history.events, done.published.records, done.published.size
                    )
                found = expected.differences(contender, done, stage.output)
                tried.failures += [f"round {number}: {what}" for what in found]
            say(f"round {number}: {contender.name}: {tried.latest}")
    return Throughput(
        events=history.events,
        records=len(history.records),
        rounds=rounds,
        base=stage.base.commit if stage.base else None,
        contenders={c.name: tries[c.name].contest(c) for c in contenders},
    )


@dataclass(frozen=True)
class Expected:
    """What a contender must store and publish about a history."""

    records: int
    truth: Work
    announcements: Announcements
    base: Contract | None = None
    """What an earlier commit can say."""

    @classmethod
    def of(cls, history: History, base: Version | None = None) -> Expected:
        """Return what follows from a history, by the domain alone."""
        contract = Contract.of(base.root) if base else None
        return cls(len(history.records), truth_of(history), Announcements(history), contract)

    def output(self) -> Output:
        """Return about what a worker publishes, until one has been measured."""
        once = Published(self.announcements.in_batches(_BATCH))
        return Output(self.truth.events, once.records, once.size)

    def differences(self, contender: Contender, done: Done, output: Output) -> list[str]:
        """Return in words how a contender's result differs from the expected one.

        ``output`` is what it had to publish if it decides nothing.
        """
        work, published = done.work, done.published
        if not contender.writes:
            # It drops no duplicates: it must count every record as valid.
            valid = work.events
            return [] if valid == self.records else [f"{valid} of {self.records} records valid"]
        if not contender.decides:
            return filler_differences(output, work, published)
        try:
            wanted = self.announcements.of(done.groups)
        except NotInHistory as strange:
            return [str(strange)]
        if contender.version == "base" and self.base is not None:
            wanted = self.base.known(wanted)
        return [*self.truth.differences(work), *published.differences(wanted)]


def filler_differences(output: Output, work: Work, published: Published) -> list[str]:
    """Return in words how filler differs from what had to be published."""
    return [
        f"{found} {name} instead of {wanted}"
        for name, found, wanted in (
            ("events", work.events, output.events),
            ("published records", published.records, output.records),
            ("published bytes", published.size, output.size),
        )
        if found != wanted
    ]


@dataclass
class _Tries:
    watched: list[Watched] = field(default_factory=list)
    records: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    interpreter: Interpreter | None = None

    def add(self, watched: Watched, published: Published) -> None:
        self.watched.append(watched)
        self.records.append(published.records)
        self.sizes.append(published.size)

    @property
    def latest(self) -> str:
        if self.failures:
            return f"FAILED: {self.failures[-1]}"
        one = self.watched[-1]
        kafka = "" if one.kafka_cpu_us is None else f" + {one.kafka_cpu_us:,.0f}"
        costs = f"{one.cpu_us:,.0f} + {one.server_cpu_us:,.0f}{kafka} us CPU per event"
        return f"{one.rate:,.0f} events/s, {costs}"

    def contest(self, contender: Contender) -> Contest:
        taken = self.watched
        return Contest(
            rate=Spread.of(w.rate for w in taken),
            cpu_us=Spread.of(w.cpu_us for w in taken),
            server_cpu_us=(Spread.of(w.server_cpu_us for w in taken) if contender.writes else None),
            kafka_cpu_us=_known(w.kafka_cpu_us for w in taken),
            wal_bytes=_known(w.wal_bytes for w in taken),
            disk_bytes=_known(w.disk_bytes for w in taken),
            published_records=Spread.of(self.records) if contender.writes else None,
            published_bytes=Spread.of(self.sizes) if contender.writes else None,
            interpreter=self.interpreter,
            rss_mib=Spread.of(w.peak_rss_mib for w in taken),
            failures=self.failures,
        )


def _known(values: Iterable[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread.of(known) if known else None
