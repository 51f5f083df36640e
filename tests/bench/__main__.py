"""Prints one table and writes .run/bench.json: events a second, CPU an event, and latency.

Real Kafka and a durable PostgreSQL on the same machine. The contenders take turns, round after
round; medians with the smallest and largest. A figure counts only when its contender ended with
the same projections and the same standing escalations as the others.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import psycopg

from schemas.codec import Outgoing
from streams import topics
from streams.cli.latency import latencies, percentile
from streams.cli.output import console, table
from streams.embedded import kafka as real_kafka
from streams.embedded.kafka import KafkaNode
from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.worker import WorkerProcess
from streams.publish import at_rate, publish
from streams.settings import Kafka
from streams.simulate.settings import Settings as Simulation
from streams.simulate.stream import stream
from streams.store import migrate

HERE = Path(__file__).parent
CONTENDERS: dict[str, Path | None] = {"pipeline": None, "naive": HERE / "naive_worker.py"}


@dataclass
class Figures:
    """What one contender reached, a value a round."""

    rate: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    work: set[str] = field(default_factory=set)


@dataclass
class Bench:
    """Servers and settings of one run."""

    home: Path
    servers: str
    events: int
    number: int = 0

    @contextmanager
    def worker(self, script: Path | None) -> Iterator[tuple[WorkerProcess, str]]:
        """A worker of a fresh group on a fresh database; yields it and the database's URL."""
        self.number += 1
        place = self.home / f"round-{self.number}"
        with EmbeddedPostgres(place / "postgres") as postgres:
            migrate.apply(postgres.url)
            environment = {
                "ICAM_KAFKA__BOOTSTRAP_SERVERS": self.servers,
                "ICAM_KAFKA__GROUP": f"bench-{self.number}",
                "ICAM_DATABASE__URL": postgres.url,
                "ICAM_LOG_LEVEL": "WARNING",
            }
            worker = WorkerProcess(place / "worker", environment, script=script)
            try:
                yield worker, postgres.url
            finally:
                worker.stop()
        shutil.rmtree(place, ignore_errors=True)

    def throughput(self, name: str, script: Path | None, figures: Figures) -> None:
        """Let one contender work through everything that is on the topics."""
        with self.worker(script) as (worker, url), psycopg.connect(url, autocommit=True) as conn:
            worker.start(wait=False)
            first = last = (0.0, 0, 0.0)
            while last[1] < self.events:
                row = conn.execute("SELECT count(*) FROM case_event").fetchone()
                now = (time.monotonic(), row[0] if row else 0, cpu_seconds(worker.pid))
                if now[1] and not first[1]:
                    first = now
                last = now
                time.sleep(0.05)
            done = last[1] - first[1]
            figures.rate.append(done / (last[0] - first[0]))
            figures.cpu_us.append(1e6 * (last[2] - first[2]) / done)
            figures.work.add(work_done(conn))

    def bare(self, figures: Figures) -> None:
        """Let the bare loop consume and validate everything."""
        self.number += 1
        environment = {
            **os.environ,
            "ICAM_KAFKA__BOOTSTRAP_SERVERS": self.servers,
            "ICAM_KAFKA__GROUP": f"bench-{self.number}",
        }
        told = subprocess.run(
            [sys.executable, HERE / "bare_loop.py", str(self.events)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(told.stdout)
        figures.rate.append(found["rate"])
        figures.cpu_us.append(found["cpu_us"])

    def latency(self, seconds: float) -> list[float]:
        """Publish 100 events a second beside a running worker; return cause to effect in ms."""
        with self.worker(None) as (worker, url):
            worker.start()
            until_idle(url, self.events)
            records, begun = history(int(100 * seconds), seed=99), datetime.now(UTC)
            publish(self.servers, at_rate(records, 100))
            time.sleep(1)
            return latencies(self.servers, begun)


def history(events: int, seed: int = 1) -> list[Outgoing]:
    """Return that many valid, distinct records of a realistic stream."""
    end = datetime.now(UTC)
    settings = Simulation(
        seed=seed, scale=1.0, start=end - timedelta(days=90), end=end, duplicates=0.0
    )
    found = []
    for planned in stream(settings):
        found.append(planned.record)
        if len(found) == events:
            break
    return found


def work_done(conn: psycopg.Connection[Any]) -> str:
    """Return a digest of all projections and standing escalations.

    Without ``due_at``: it is as of the moment of raising, before or after a correction arrived.
    """
    rows = conn.execute(
        "SELECT case_id, encode(digest, 'hex'), status FROM case_projection ORDER BY case_id"
    ).fetchall()
    rows += conn.execute(
        "SELECT escalation_id::text, rule_id, office_id FROM escalation"
        " WHERE withdrawn_at IS NULL ORDER BY 1"
    ).fetchall()
    return sha256(repr(rows).encode()).hexdigest()


def until_idle(url: str, events: int) -> None:
    """Wait until a worker has taken in what was there and published what came of it."""
    with psycopg.connect(url, autocommit=True) as conn:
        wanted = (events, 0)
        found = None
        while found != wanted:
            time.sleep(0.5)
            found = conn.execute(
                "SELECT (SELECT count(*) FROM case_event),"
                " (SELECT count(*) FROM outbox WHERE published_at IS NULL)"
            ).fetchone()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@click.command()
@click.option("--events", default=12_000, show_default=True, help="Records on the topics.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=30.0, show_default=True, help="Length of the latency run.")
def main(events: int, rounds: int, seconds: float) -> None:
    """Measure the contenders side by side and print one table."""
    out = console()
    real_kafka.fetch()
    home = Path(".run") / f"bench-{os.getpid()}"
    figures = {name: Figures() for name in (*CONTENDERS, "bare aiokafka loop")}
    try:
        with KafkaNode(home / "kafka") as node:
            servers = node.bootstrap_servers
            topics.ensure(Kafka(bootstrap_servers=servers))
            bench = Bench(home, servers, events)
            out.print(f"publishing {events} records ...")
            publish(servers, history(events))
            for number in range(1, rounds + 1):
                for name, script in CONTENDERS.items():
                    bench.throughput(name, script, figures[name])
                    out.print(f"round {number}: {name} {figures[name].rate[-1]:,.0f} events/s")
                bench.bare(figures["bare aiokafka loop"])
            out.print("latency at 100 events/s ...")
            spans = bench.latency(seconds)
    finally:
        shutil.rmtree(home, ignore_errors=True)

    same = len(set.union(*(f.work for f in figures.values()))) == 1
    naive = statistics.median(figures["naive"].rate)
    rows = [
        (
            name,
            f"{statistics.median(f.rate):,.0f}",
            f"{min(f.rate):,.0f} - {max(f.rate):,.0f}",
            f"{statistics.median(f.cpu_us):,.0f}",
            f"{statistics.median(f.rate) / naive:.1f}",
        )
        for name, f in figures.items()
    ]
    columns = ("contender", "events/s, median", "min - max", "CPU us/event", "x naive")
    out.print(table(f"{events} events, {rounds} rounds, {machine()}", columns, rows))
    out.print(
        f"cause to escalation on its topic at 100 events/s: p50 {percentile(spans, 50):.0f} ms,"
        f" p99 {percentile(spans, 99):.0f} ms ({len(spans)} measured)"
    )
    out.print("same projections and escalations: " + ("yes" if same else "NO, figures don't count"))
    result = {
        "machine": machine(),
        "events": events,
        "contenders": {n: {"rate": f.rate, "cpu_us": f.cpu_us} for n, f in figures.items()},
        "latency_ms": {"p50": percentile(spans, 50), "p99": percentile(spans, 99)},
        "same_work": same,
    }
    Path(".run/bench.json").write_text(json.dumps(result, indent=2))
    raise SystemExit(0 if same else 1)


def machine() -> str:
    """Return what the figures were taken on."""
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
