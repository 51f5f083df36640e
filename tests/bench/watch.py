"""Measures a contender from outside while it processes a history.

The clock runs from the first committed event seen until every event is in the log and the outbox is
published; starting processes and joining the group are excluded. Counting costs server time, so it
is done about a dozen times per run, each time when half of the rest should be done; its cost is
subtracted from the server's CPU time.

CPU is what the operating system accounts to the processes of the contender, of PostgreSQL and of
Kafka, with all their children and threads. The write-ahead log is counted by its position, and the
disk by the size of the database before and after the run, dead rows included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.bench.database import Connection, Database, one, unpublished
from tests.bench.processes import cpu_seconds, peak_rss_kib, rss_kib
from tests.bench.programs import Running

_TICK = 0.02
_STALLED = 120.0


class Stalled(Exception):
    """A contender ended, or made no progress for two minutes; the message quotes its log."""


@dataclass(frozen=True)
class Watched:
    """The figures of one run."""

    events: int
    """Events between the first and the last count."""
    seconds: float
    cpu_us: float
    server_cpu_us: float
    peak_rss_mib: float
    kafka_cpu_us: float | None = None
    """None if Kafka is not a process of the benchmark."""
    wal_bytes: float | None = None
    """Write-ahead log, bytes per event."""
    disk_bytes: float | None = None
    """Growth of the database, bytes per event."""
    rss_mib: list[float] = field(default_factory=list)
    """One value per second."""

    @property
    def rate(self) -> float:
        """Return events per second."""
        return self.events / self.seconds


@dataclass(frozen=True)
class Look:
    """What was counted at an instant."""

    at: float
    events: int
    cpu: float
    server_cpu: float
    kafka_cpu: float | None
    wal: int


class Watch:
    """Measures one database and the processes that write to it."""

    def __init__(
        self,
        database: Database,
        conn: Connection,
        running: Sequence[Running],
        cases: str = "",
        kafka_cpu: Callable[[], float | None] = lambda: None,
    ) -> None:
        """``cases`` is a prefix: only events of cases whose id has it are counted.

        ``kafka_cpu`` returns the CPU seconds of Kafka so far.
        """
        self._database = database
        self._conn = conn
        self._running = running
        self._where = " WHERE case_id >= %s AND case_id < %s" if cases else ""
        self._values = (cases, cases + "\x7f") if cases else ()
        self._backend = int(one(conn, "SELECT pg_backend_pid()"))
        self._kafka_cpu = kafka_cpu
        self._size = self.database_size()
        self._begun = time.monotonic()
        self._samples: list[float] = []

    def until(self, wanted: int) -> Watched:
        """Wait until ``wanted`` events are in the log and everything is published.

        Raises:
            Stalled: a process ended, or there was no progress.
        """
        any_event = f"SELECT EXISTS (SELECT FROM case_event{self._where})"
        while not one(self._conn, any_event, *self._values):
            self._tick()
            if time.monotonic() - self._begun > _STALLED:
                raise Stalled(f"no event within {_STALLED:g} s")
        first = last = self.look()
        moved = first.at
        while last.events < wanted:
            rate = (last.events - first.events) / (last.at - first.at) if last is not first else 0
            wait = 0.5 * (wanted - last.events) / rate if rate else 0.1
            until = last.at + min(max(wait, 0.05), 10)
            while time.monotonic() < until:
                self._tick()
            look = self.look()
            if look.events > last.events:
                moved = look.at
            elif look.at - moved > _STALLED:
                raise Stalled(f"{look.events} of {wanted} events after {_STALLED:g} s without any")
            last = look
        while unpublished(self._conn):
            self._tick()
        end = self.look()
        done, seconds = end.events - first.events, end.at - first.at
        if done == 0:
            raise Stalled("everything was done between two counts: use more events")
        return Watched(
            events=done,
            seconds=seconds,
            cpu_us=1e6 * (end.cpu - first.cpu) / done,
            server_cpu_us=1e6 * (end.server_cpu - first.server_cpu) / done,
            peak_rss_mib=sum(peak_rss_kib(p.pid) for p in self._running) / 1024,
            kafka_cpu_us=_apart(first.kafka_cpu, end.kafka_cpu, done),
            wal_bytes=(end.wal - first.wal) / done,
            disk_bytes=(self.database_size() - self._size) / end.events,
            rss_mib=self._samples,
        )

    def settle(self, wanted: int) -> None:
        """Wait for the same without measuring; return at once if it is done."""
        deadline = time.monotonic() + _STALLED
        while self.look().events < wanted or unpublished(self._conn):
            if time.monotonic() > deadline:
                raise Stalled(f"not {wanted} events, all published, within {_STALLED:g} s")
            for _ in range(10):
                self._tick()

    def look(self) -> Look:
        """Count now."""
        counted = one(self._conn, f"SELECT count(*) FROM case_event{self._where}", *self._values)
        return Look(
            time.monotonic(),
            int(counted),
            sum(cpu_seconds(p.pid) for p in self._running),
            cpu_seconds(self._database.pid) - cpu_seconds(self._backend),
            self._kafka_cpu(),
            int(one(self._conn, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")),
        )

    def database_size(self) -> int:
        """Return the bytes of the database on disk."""
        return int(one(self._conn, "SELECT pg_database_size(current_database())"))

    def _tick(self) -> None:
        for program in self._running:
            if program.exit_code is not None:
                output = program.log.read_text(errors="replace")[-600:]
                raise Stalled(f"it ended with code {program.exit_code}: {output}")
        if time.monotonic() - self._begun >= len(self._samples):
            self._samples.append(sum(rss_kib(program.pid) for program in self._running) / 1024)
        time.sleep(_TICK)


def _apart(first: float | None, last: float | None, events: int) -> float | None:
    return None if first is None or last is None else 1e6 * (last - first) / events
