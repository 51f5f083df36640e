"""Where faults are done: one stage, records and dice that follow from the seed, and a clock.

Whatever a scenario does at random it takes from ``dice``; the same seed gives the same schedule.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count, pairwise
from pathlib import Path
from random import Random
from typing import Any, Final, Self
from uuid import UUID

import psycopg
from confluent_kafka import KafkaException

from schemas.codec import Outgoing
from streams.embedded.kafka import KafkaNode
from streams.embedded.worker import WorkerProcess
from streams.publish import at_rate
from streams.simulate.publishing import Kind, Planned
from streams.simulate.settings import Settings
from streams.simulate.stream import stream
from tests.faults.results import Outcome
from tests.faults.verdict import judge
from tests.pipeline.histories import valid_ids
from tests.pipeline.stage import Stage, until

_DAYS: Final = 90
_EVENTS_AT_FULL_SCALE: Final = 15_000
_FIRST_SINCE: Final = """
    SELECT min(recorded_at) FROM (
        SELECT recorded_at FROM case_event WHERE recorded_at > %(since)s
        UNION ALL SELECT recorded_at FROM dead_letter WHERE recorded_at > %(since)s) AS taken
"""


class NotHere(Exception):
    """A scenario needs what this machine has not; the message says what. It is no outcome.

    ``required_by`` is the variable that makes it one, where a run must not go without.
    """

    def __init__(self, reason: str, *, required_by: str | None = None) -> None:
        super().__init__(reason)
        self.required_by = required_by


@dataclass(frozen=True)
class Course:
    """Records in the order in which they are published, and what must come of them."""

    planned: tuple[Planned, ...]

    @cached_property
    def ids(self) -> frozenset[UUID]:
        """Return the events that must end up in the log."""
        return frozenset(valid_ids(list(self.planned)))

    @cached_property
    def broken(self) -> int:
        """Return how many records must end up as dead letters."""
        return sum(item.kind is Kind.MALFORMED for item in self.planned)

    @property
    def records(self) -> list[Outgoing]:
        return [item.record for item in self.planned]

    def portions(self, number: int) -> list[list[Outgoing]]:
        """Split the records into so many parts of about the same size, in order."""
        records, ends = self.records, [len(self.planned) * n // number for n in range(number + 1)]
        return [records[a:b] for a, b in pairwise(ends)]


def course(events: int, seed: int, *, days: int = _DAYS, **faults: float) -> Course:
    """Return a realistic stream of so many distinct events that ends now, with duplicates and
    disorder unless told otherwise.
    """
    end = datetime.now(UTC)
    chosen: dict[str, Any] = {"duplicates": 0.1, "disorder": 0.1, "late": 0.05, **faults}
    settings = Settings(
        seed=seed,
        scale=max(0.01, 1.5 * events / _EVENTS_AT_FULL_SCALE * _DAYS / days),
        start=end - timedelta(days=days),
        end=end,
        **chosen,
    )
    found: list[Planned] = []
    distinct = 0
    for planned in stream(settings):
        if distinct == events:
            break
        found.append(planned)
        distinct += planned.kind is Kind.VALID
    if distinct < events:
        raise ValueError(f"the simulation gave {distinct} of {events} events")
    return Course(tuple(found))


class Arena:
    """One scenario's stage and dice, its size, and the outcome it fills."""

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
        """``share`` of the long form is done; the short form, when it is None."""
        self.stage = stage
        self.node = node
        self.seed = seed
        self.dice = Random(f"{name} {seed}")
        self.say = say
        self._share = share
        self._names = count(1)
        self._conn: psycopg.Connection[tuple[datetime | None]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._conn is not None:
            self._conn.close()

    @property
    def short(self) -> bool:
        """Whether the short form is done."""
        return self._share is None

    def size(self, long: int, short: int) -> int:
        """Return how much is to be done."""
        return short if self._share is None else max(short, round(long * self._share))

    def outcome(self, fault: str) -> Outcome:
        return Outcome(fault=fault, seed=self.seed)

    def course(self, events: int, *, days: int = _DAYS, **faults: float) -> Course:
        """Return the scenario's records."""
        return course(events, self.seed, days=days, **faults)

    def worker(self, script: Path | None = None, **more: str) -> WorkerProcess:
        """Return a worker under a new name; start it yourself."""
        return self.stage.worker(f"worker-{next(self._names):03d}", script, **more)

    def resumed(
        self,
        since: datetime,
        patience: float = 90,
        gone: Callable[[], bool] = lambda: False,
    ) -> float | None:
        """Wait until a record is committed that was written after ``since``; return how many
        seconds later it was written. None when ``gone`` came first, or patience ran out.
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

    @contextmanager
    def flowing(self, records: Iterable[Outgoing], rate: float) -> Iterator[None]:
        """Publish beside what is done meanwhile; at the end wait until all is acknowledged."""
        with ThreadPoolExecutor(1, "flow") as pool:
            flow = pool.submit(self.stage.publish, at_rate(records, rate))
            yield
            flow.result()

    def settle(
        self, outcome: Outcome, ids: Iterable[UUID], *, set_aside: int, patience: float = 180
    ) -> None:
        """Wait until nothing is under way, then have the run judged."""
        wanted = frozenset(ids)
        try:
            until(self._drained, patience, "the stream is worked through")
        except AssertionError as late:
            outcome.failures.append(str(late))
        report = self.stage.audit(produced=wanted)
        outcome.judged(judge(report, self.stage.query, wanted, set_aside=set_aside))
        outcome.events = len(wanted)
        outcome.figures["messages sent more than once"] = report.counts["outbox.repeated"]

    def _drained(self) -> bool:
        with suppress(KafkaException, psycopg.OperationalError):
            return self.stage.drained()
        return False


def now() -> datetime:
    """Return the present instant; servers and tests share one machine, and so one clock."""
    return datetime.now(UTC)


def shuffled(dice: Random, things: Iterable[str]) -> Sequence[str]:
    """Return things in an order of the dice."""
    found = list(things)
    dice.shuffle(found)
    return found
