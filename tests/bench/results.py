"""The figures of scenarios, stored as JSON in ``.run/bench/result.json``."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tests.bench.interpreter import Interpreter
from tests.environments import ROOT

HOME: Final = ROOT / ".run" / "bench"
QUICK: Final = HOME / "quick"
"""Results of quick runs are kept separately."""


class _Figures(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Spread(_Figures):
    """A figure that was measured several times."""

    values: list[float]
    in_turn: bool = True
    """Whether they are of one round each, in order."""

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of some values."""
        return cls(values=list(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)


def paired(ours: Spread, theirs: Spread) -> Spread:
    """Return the ratios of two figures that were taken in turns, round by round.

    If one of them lacks a round, or its values are of no round, the ratio of the medians.
    """
    together = ours.in_turn and theirs.in_turn and len(ours.values) == len(theirs.values)
    if not together:
        return Spread.of([ours.median / theirs.median])
    return Spread.of(a / b for a, b in zip(ours.values, theirs.values, strict=True))


class Contest(_Figures):
    """The figures of one contender, one value per round."""

    rate: Spread
    """Events per second, from the first committed event to the last published one."""
    cpu_us: Spread
    """CPU of its processes, microseconds per event."""
    server_cpu_us: Spread | None = None
    """CPU of all PostgreSQL processes, microseconds per event."""
    kafka_cpu_us: Spread | None = None
    """CPU of Kafka's process, microseconds per event."""
    wal_bytes: Spread | None = None
    """Write-ahead log, bytes per event."""
    disk_bytes: Spread | None = None
    """Growth of the database on disk, dead rows included, bytes per event."""
    published_records: Spread | None = None
    published_bytes: Spread | None = None
    """Bytes of keys, headers and values on the output topics."""
    interpreter: Interpreter | None = None
    rss_mib: Spread
    """Peak resident memory of all its processes."""
    failures: list[str] = Field(default_factory=list)
    """Why its figures do not count; empty if they do."""


class Taken(_Figures):
    commit: str = ""
    """Short; with ``+`` if the code was changed since."""
    interpreter: Interpreter | None = None
    """What ran the worker."""
    taken_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    failures: list[str] = Field(default_factory=list)
    """Why the figures do not count; empty if they do."""


class Throughput(Taken):
    events: int
    records: int
    rounds: int
    base: str | None = None
    """The commit that the contenders named after it run."""
    contenders: dict[str, Contest]


class Single(_Figures):
    """The figures of one contender for records that come alone, one value per round."""

    cpu_us: Spread
    """CPU of its processes, microseconds per record, background loops included."""
    server_cpu_us: Spread
    kafka_cpu_us: Spread | None = None
    idle_us: Spread
    """CPU of its processes without any record, microseconds per second."""
    idle_server_us: Spread
    wal_bytes: Spread
    disk_bytes: Spread
    batch: Spread
    """Records per transaction that adds to the log."""
    statements: float | None = None
    """In the transaction that adds a record to the log, counted on the wire."""
    round_trips: float | None = None
    all_statements: float | None = None
    """Over all connections, less what is said without any record."""
    all_round_trips: float | None = None
    interpreter: Interpreter | None = None
    failures: list[str] = Field(default_factory=list)


class Singles(Taken):
    """Records that come alone."""

    rate: float
    records: int
    rounds: int
    base: str | None = None
    contenders: dict[str, Single]


class Latency(Taken):
    rate: float
    seconds: float
    measured: int
    p50_ms: float
    p90_ms: float | None = None
    p99_ms: float
    spans_ms: list[float] = Field(default_factory=list)


class LatencyBusy(Latency):
    """The same at a rate at which records come in batches."""


class Growth(Taken):
    events: int
    few_cases: int
    many_cases: int
    many_events: int = 0
    """Events of the many stored cases."""
    few: Spread
    """Events per second with few stored cases."""
    many: Spread
    few_server_cpu_us: Spread | None = None
    many_server_cpu_us: Spread | None = None

    @property
    def ratio(self) -> float:
        return self.many.median / self.few.median


class Letters(_Figures):
    """The rate with a number of open dead letters."""

    letters: int
    rate: Spread
    server_cpu_us: Spread


class DeadLetters(Taken):
    events: int
    levels: list[Letters]
    """The first is without any."""

    @property
    def most(self) -> int:
        """Return the highest number of letters."""
        return max(one.letters for one in self.levels)

    @property
    def worst_ratio(self) -> float:
        """Return the lowest rate with letters over that without."""
        none, *some = self.levels
        return min(one.rate.median for one in some) / none.rate.median


class Shape(_Figures):
    """Cases of one length."""

    cases: int
    events_each: int
    wall_us: Spread
    cpu_us: Spread
    server_cpu_us: Spread

    @property
    def cost_us(self) -> float:
        """CPU of worker and server, microseconds per event."""
        return self.cpu_us.median + self.server_cpu_us.median


class LongCases(Taken):
    long: Shape
    short: Shape

    @property
    def ratio(self) -> float:
        return self.long.cost_us / self.short.cost_us


class Backlog(Taken):
    events: int
    seconds: float
    rate: float
    cpu_us: float
    server_cpu_us: float
    rss_mib: list[float]
    """Resident memory of the worker, once a second."""
    peak_rss_mib: float

    @property
    def peak_rss_mb(self) -> float:
        """Peak resident memory in megabytes of a million bytes."""
        return self.peak_rss_mib * 1.048576

    @property
    def growth(self) -> float:
        """Return the peak of the second half of the run over that of the first."""
        half = len(self.rss_mib) // 2
        return max(self.rss_mib[half:]) / max(self.rss_mib[:half]) if half else 1.0


class Rebuild(Taken):
    cases: int
    events: int
    differing: int
    seconds: float


class WhatIf(Taken):
    cases: int
    events: int
    differing_cases: int
    processes: int
    seconds: float


class ColdStart(Taken):
    from_start: Spread
    """Seconds from the start of the process to the first event in the database."""
    from_assignment: Spread
    """Seconds from the assignment of partitions to the first event."""


class Domain(Taken):
    events: int
    compiled: bool
    median_us: Spread
    """Median of fold, route and decide for one event at its own time; one value per pass."""
    at_the_end_us: Spread
    """The same, decided at the end of the history, when most terms have expired."""


class Verdict(_Figures):
    """A goal, what was found, and whether it is reached."""

    goal: str
    wanted: str
    found: float | None
    reached: bool | None
    """None if it was not measured, or the figures do not count."""


class Result(_Figures):
    """All results so far, by scenario."""

    machine: str = ""
    """Its kind; never its name."""
    notes: list[str] = Field(default_factory=list)
    """What a reader must know of figures that were taken in another way."""
    goals: list[Verdict] = Field(default_factory=list)
    throughput: Throughput | None = None
    singles: Singles | None = None
    latency: Latency | None = None
    latency_busy: LatencyBusy | None = None
    growth: Growth | None = None
    dead_letters: DeadLetters | None = None
    long_cases: LongCases | None = None
    backlog: Backlog | None = None
    rebuild: Rebuild | None = None
    whatif: WhatIf | None = None
    cold_start: ColdStart | None = None
    domain: Domain | None = None

    def scenarios(self) -> dict[str, Taken]:
        """Return what was measured, by name."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: taken for name, taken in found.items() if isinstance(taken, Taken)}

    def failures(self, scenario: str) -> list[str]:
        """Return why the figures of a scenario do not count; empty if they do."""
        taken = getattr(self, scenario.replace("-", "_"))
        if taken is None:
            return []
        found: list[str] = list(taken.failures)
        if isinstance(taken, Throughput | Singles):
            for name, contest in taken.contenders.items():
                found += [f"{name}: {what}" for what in contest.failures]
        return found


def load(folder: Path) -> Result:
    """Return the earlier results; empty if there are none."""
    file = folder / "result.json"
    if not file.exists():
        return Result()
    taken = orjson.loads(file.read_bytes())
    try:
        return Result.model_validate(taken)
    except ValidationError as error:
        # Drop scenarios in the format of an earlier version.
        for place in {fault["loc"][0] for fault in error.errors()}:
            taken.pop(place, None)
    return Result.model_validate(taken)


def read(file: Path) -> Result:
    """Return the results in a file.

    Raises:
        ValidationError: they are in another format.
    """
    return Result.model_validate_json(file.read_bytes())


def save(result: Result, folder: Path) -> None:
    """Write all results."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(result.model_dump_json(indent=2))
