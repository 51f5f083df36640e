"""The environment of one scenario: servers, workers, records, and random choices from the seed.

All random choices of a scenario come from ``dice``; the same seed gives the same schedule.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Final, Self
from uuid import UUID

import psycopg
from confluent_kafka import KafkaException

from schemas.codec import Outgoing
from streams.audit import Report, watching
from streams.audit.findings import Check
from streams.embedded.kafka import KafkaNode
from streams.embedded.worker import WorkerProcess
from streams.kafka.connection import client
from streams.kafka.publish import at_rate
from tests.faults.course import CANARY, DAYS, Course, course
from tests.faults.results import Outcome
from tests.faults.verdict import judge
from tests.pipeline.stage import Stage, until
from tests.producers import PRODUCERS

_FIRST_SINCE: Final = """
    SELECT min(recorded_at) FROM (
        SELECT recorded_at FROM case_event WHERE recorded_at > %(since)s
        UNION ALL SELECT recorded_at FROM dead_letter WHERE recorded_at > %(since)s) AS taken
"""

_CUT: Final = """
    SELECT count(pg_terminate_backend(pid)) FROM (
        SELECT pid FROM pg_stat_activity WHERE application_name = %s
        ORDER BY random() LIMIT %s) AS chosen
"""

_SEEDED: Final = "SELECT count(*) FROM case_event WHERE payload::text LIKE %s"


class NotHere(Exception):
    """This machine lacks something that a scenario needs; the message names it.

    ``required_by`` is the environment variable that turns a skipped scenario into a failure.
    """

    def __init__(self, reason: str, *, required_by: str | None = None) -> None:
        super().__init__(reason)
        self.required_by = required_by


class Arena:
    """The servers, workers, random choices and size of one scenario."""

    def __init__(
        self,
        stage: Stage,
        node: KafkaNode | None,
        name: str,
        seed: int,
        *,
        share: float | None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``share`` is the part of the long form to run; None runs the short form."""
        self.stage = stage
        self.node = node
        self.seed = seed
        self.dice = Random(f"{name} {seed}")
        self.say = say
        self._share = share
        self._names = count(1)
        self._workers: list[WorkerProcess] = []
        self._watched = ExitStack()
        self._conn: psycopg.Connection[tuple[datetime | None]] | None = None

    def __enter__(self) -> Self:
        kafka = self.stage.kafka
        watch = watching(client(kafka), self.stage.postgres.url, kafka.group, PRODUCERS, 1)
        self._watch = self._watched.enter_context(watch)
        return self

    def __exit__(self, *_: object) -> None:
        self._watched.close()
        if self._conn is not None:
            self._conn.close()

    @property
    def short(self) -> bool:
        """Whether this is the short form."""
        return self._share is None

    def size(self, long: int, short: int) -> int:
        """Return the size for this form and share."""
        return short if self._share is None else max(short, round(long * self._share))

    def outcome(self, fault: str) -> Outcome:
        return Outcome(fault=fault, seed=self.seed)

    def course(self, events: int, *, days: int = DAYS, **faults: float) -> Course:
        """Return the scenario's records."""
        return course(events, self.seed, days=days, **faults)

    def worker(self, script: Path | None = None, **more: str) -> WorkerProcess:
        """Return a worker under a new name; the caller starts it."""
        made = self.stage.worker(f"worker-{next(self._names):03d}", script, **more)
        self._workers.append(made)
        return made

    def resumed(
        self,
        since: datetime,
        patience: float = 90,
        gone: Callable[[], bool] = lambda: False,
    ) -> float | None:
        """Wait for a committed record that was written after ``since``; return the seconds between.

        Return None if ``gone`` becomes true first, or after ``patience`` seconds.
        """
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            ended = gone()
            first = self._first(since)
            if first is not None:
                return (first - since).total_seconds()
            if ended:
                return None
            time.sleep(0.02)
        return None

    def _first(self, since: datetime) -> datetime | None:
        try:
            if self._conn is None:
                self._conn = psycopg.connect(self.stage.postgres.url, autocommit=True)
            found = self._conn.execute(_FIRST_SINCE, {"since": since}).fetchone()
        except psycopg.OperationalError:
            if self._conn is not None:
                self._conn.close()
            self._conn = None
            return None
        return found[0] if found else None

    def cut_connections(self, most: int) -> int:
        """End up to ``most`` of the workers' database sessions; return how many."""
        cut: int = self.stage.query(_CUT, self.stage.kafka.group, most)[0][0]
        return cut

    @contextmanager
    def flowing(self, records: Iterable[Outgoing], rate: float) -> Iterator[None]:
        """Publish records during the block; at its end wait until all are acknowledged."""
        with ThreadPoolExecutor(1, "flow") as pool:
            flow = pool.submit(self.stage.publish, at_rate(records, rate))
            yield
            flow.result()

    def settle(
        self, outcome: Outcome, ids: Iterable[UUID], *, dead_letters: int, patience: float = 180
    ) -> None:
        """Wait until the pipeline is idle, then verify the run: the database and topics, the
        offsets that were committed, and the logs and metrics of all workers.
        """
        wanted = frozenset(ids)
        try:
            until(self.drained, patience, "the stream is processed")
        except AssertionError as late:
            outcome.failures.append(str(late))
        self._watched.close()
        papers = dict(self._papers())
        report = self.stage.audit(produced=wanted, canaries=[CANARY], texts=papers)
        report = _with(report, self._watch.check)
        outcome.judged(judge(report, self.stage.query, wanted, dead_letters=dead_letters))
        outcome.events = len(wanted)
        outcome.figures["messages sent more than once"] = report.counts["outbox.repeated"]
        outcome.figures["events that hold the canary"] = self.stage.query(_SEEDED, f"%{CANARY}%")[
            0
        ][0]
        outcome.figures["checks of offsets during the run"] = self._watch.looks
        outcome.expect(self._watch.looks > 0, "offsets were never checked during the run")

    def _papers(self) -> Iterator[tuple[str, str]]:
        """Yield the log of every worker, and the metric names of running workers."""
        for worker in self._workers:
            if worker.log.exists():
                yield f"{worker.directory.name} log", worker.log.read_text(errors="replace")
            named = (line.rpartition(" ")[0] for line in worker.metrics().splitlines())
            yield f"{worker.directory.name} metrics", "\n".join(named)

    def drained(self) -> bool:
        """Whether nothing is under way; False while a server is away."""
        with suppress(KafkaException, psycopg.OperationalError):
            return self.stage.drained()
        return False


def _with(report: Report, check: Check) -> Report:
    return replace(
        report,
        checks=(*report.checks, check.checked),
        findings=(*report.findings, *check.findings),
    )


def now() -> datetime:
    """Return the current time; servers and tests share the clock of one machine."""
    return datetime.now(UTC)


def shuffled(dice: Random, things: Iterable[str]) -> Sequence[str]:
    """Return things in random order."""
    found = list(things)
    dice.shuffle(found)
    return found
