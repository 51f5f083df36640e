"""The cost of a record that comes alone: the daily case.

Records are offered at a rate at which each is a batch of its own; the log says by its transactions
whether it was. CPU, write-ahead log and disk are of everything between the first record and the
last, background loops included; what the loops cost without any record is measured before and shown
beside it, not subtracted. Statements and round trips are counted on the wire in a run of their own,
because a proxy delays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from psycopg.conninfo import conninfo_to_dict

from schemas.codec import Outgoing
from streams.kafka.publish import Publisher, at_rate
from streams.runtime.settings import KafkaSettings
from tests.bench import published
from tests.bench.database import Connection, Database, one
from tests.bench.history import History, history
from tests.bench.interpreter import interpreter
from tests.bench.results import Single, Singles, Spread
from tests.bench.roster import Contender
from tests.bench.run import Done, stored
from tests.bench.scenarios.throughput import BROKEN, Expected
from tests.bench.stage import Stage, stopping
from tests.bench.watch import Look, Watch
from tests.bench.wire import Proxy, Unit, traffic

_WARM_UP = 100
_SECONDS_IDLE = 10.0

Say = Callable[[str], None]


def take(
    stage: Stage, contenders: Sequence[Contender], records: int, rate: float, rounds: int, say: Say
) -> Singles:
    """Offer ``records`` records at ``rate`` per second to each contender, in turns. Blocks."""
    # One that decides nothing has no cost of a decision, however few events it gets at a time.
    contenders = [one for one in contenders if one.decides]
    offered = history(2 * _WARM_UP + records, seed=5, duplicates=0)
    expected = Expected.of(offered, stage.base)
    tries = {contender.name: _Tries() for contender in contenders}
    for number in range(1, rounds + 1):
        for contender in contenders if number % 2 else reversed(contenders):
            tried = tries[contender.name]
            try:
                tried.taken.append(_measured(stage, contender, offered, expected, rate, tried))
                if number == 1:
                    tried.spoken = _spoken(stage, contender, offered, rate)
            except BROKEN as error:
                tried.failures.append(f"round {number}: {error}")
            say(f"round {number}: {contender.name}: {tried.latest}")
    return Singles(
        rate=rate,
        records=records,
        rounds=rounds,
        base=stage.base.commit if stage.base else None,
        contenders={
            contender.name: tries[contender.name].single(stage, contender)
            for contender in contenders
        },
    )


@dataclass(frozen=True)
class _Taken:
    cpu_us: float
    server_cpu_us: float
    kafka_cpu_us: float | None
    idle_us: float
    idle_server_us: float
    wal_bytes: float
    disk_bytes: float
    batch: float


@dataclass(frozen=True)
class Spoken:
    """What was said to the database about a record, on average."""

    statements: float
    """In the transaction that adds it to the log."""
    round_trips: float
    all_statements: float
    """Over all connections, less what is said without any record."""
    all_round_trips: float


@dataclass
class _Tries:
    taken: list[_Taken] = field(default_factory=list)
    spoken: Spoken | None = None
    failures: list[str] = field(default_factory=list)

    @property
    def latest(self) -> str:
        if self.failures:
            return f"FAILED: {self.failures[-1]}"
        one, spoken = self.taken[-1], self.spoken
        trips = f", {spoken.round_trips:.1f} round trips" if spoken else ""
        return (
            f"{one.cpu_us:,.0f} + {one.server_cpu_us:,.0f} us CPU per record, "
            f"{one.batch:.2f} records per transaction{trips}"
        )

    def single(self, stage: Stage, contender: Contender) -> Single:
        taken, spoken = self.taken, self.spoken
        kafka = [t.kafka_cpu_us for t in taken if t.kafka_cpu_us is not None]
        return Single(
            cpu_us=Spread.of(t.cpu_us for t in taken),
            server_cpu_us=Spread.of(t.server_cpu_us for t in taken),
            kafka_cpu_us=Spread.of(kafka) if kafka else None,
            idle_us=Spread.of(t.idle_us for t in taken),
            idle_server_us=Spread.of(t.idle_server_us for t in taken),
            wal_bytes=Spread.of(t.wal_bytes for t in taken),
            disk_bytes=Spread.of(t.disk_bytes for t in taken),
            batch=Spread.of(t.batch for t in taken),
            statements=spoken.statements if spoken else None,
            round_trips=spoken.round_trips if spoken else None,
            all_statements=spoken.all_statements if spoken else None,
            all_round_trips=spoken.all_round_trips if spoken else None,
            interpreter=interpreter(contender.python(), stage.code(contender)) if taken else None,
            failures=self.failures,
        )


@contextmanager
def _warm(
    stage: Stage, contender: Contender, offered: History, rate: float, proxied: bool
) -> Iterator[tuple[Watch, Connection, Publisher, Proxy | None]]:
    """Start a contender, and let it process the first records: a few together, a few alone."""
    place = stage.place(f"singles-{contender.name}")
    stage.fill(offered.records[:_WARM_UP])
    publisher = Publisher(KafkaSettings(bootstrap_servers=stage.servers))
    with (
        stage.databases.fresh(place / "postgres", tables=stage.tables(contender)) as database,
        database.connect() as conn,
        _proxy(database, proxied) as proxy,
    ):
        environment = stage.environment(database, contender)
        if proxy is not None:
            environment["ICAM_DATABASE__URL"] = _through(database.url, proxy.port)
        with stopping(contender.start(place / "run", environment)) as running:
            watch = Watch(database, conn, running, kafka_cpu=stage.kafka_cpu)
            watch.settle(_WARM_UP)
            _offer(publisher, offered.records[_WARM_UP : 2 * _WARM_UP], rate)
            watch.settle(2 * _WARM_UP)
            time.sleep(2)
            yield watch, conn, publisher, proxy


@contextmanager
def _proxy(database: Database, wanted: bool) -> Iterator[Proxy | None]:
    if not wanted:
        yield None
        return
    to = conninfo_to_dict(database.url)
    with Proxy(str(to["host"]), int(to["port"] or 5432)) as proxy:
        yield proxy


def _through(url: str, port: int) -> str:
    to = conninfo_to_dict(url)
    return f"postgresql://{to.get('user', 'postgres')}@127.0.0.1:{port}/{to['dbname']}"


def _measured(
    stage: Stage,
    contender: Contender,
    offered: History,
    expected: Expected,
    rate: float,
    tried: _Tries,
) -> _Taken:
    with _warm(stage, contender, offered, rate, proxied=False) as (watch, conn, publisher, _):
        resting = watch.look()
        time.sleep(_SECONDS_IDLE)
        first, size, before = watch.look(), watch.database_size(), _transactions(conn)
        _offer(publisher, offered.records[2 * _WARM_UP :], rate)
        watch.settle(offered.events)
        last = watch.look()
        batches = _transactions(conn) - before
        work, groups = stored(contender, conn)
        disk = watch.database_size() - size
    done = Done(work, published.read(stage.servers, {}), groups)
    tried.failures += expected.differences(contender, done, stage.output)
    return _figures(resting, first, last, disk, batches)


def _transactions(conn: Connection) -> int:
    """Return how many transactions added to the log."""
    return int(one(conn, "SELECT count(DISTINCT xmin::text) FROM case_event"))


def _figures(resting: Look, first: Look, last: Look, disk: int, batches: int) -> _Taken:
    records, idle = last.events - first.events, first.at - resting.at
    kafka = None
    if first.kafka_cpu is not None and last.kafka_cpu is not None:
        kafka = 1e6 * (last.kafka_cpu - first.kafka_cpu) / records
    return _Taken(
        cpu_us=1e6 * (last.cpu - first.cpu) / records,
        server_cpu_us=1e6 * (last.server_cpu - first.server_cpu) / records,
        kafka_cpu_us=kafka,
        idle_us=1e6 * (first.cpu - resting.cpu) / idle,
        idle_server_us=1e6 * (first.server_cpu - resting.server_cpu) / idle,
        wal_bytes=(last.wal - first.wal) / records,
        disk_bytes=disk / records,
        batch=records / max(1, batches),
    )


def _offer(publisher: Publisher, records: Sequence[Outgoing], rate: float) -> None:
    for record in at_rate(records, rate):
        publisher.send(record)
    publisher.flush()


def _spoken(stage: Stage, contender: Contender, offered: History, rate: float) -> Spoken:
    """Count on the wire, in a run through the proxy."""
    with _warm(stage, contender, offered, rate, proxied=True) as (watch, _, publisher, proxy):
        if proxy is None:
            raise RuntimeError("no proxy")
        begun, before = time.monotonic(), proxy.units()
        time.sleep(_SECONDS_IDLE)
        idle_seconds, idle = time.monotonic() - begun, proxy.units()[len(before) :]
        begun, before = time.monotonic(), proxy.units()
        _offer(publisher, offered.records[2 * _WARM_UP :], rate)
        watch.settle(offered.events)
        seconds, units = time.monotonic() - begun, proxy.units()[len(before) :]
    return spoken(units, offered.events - 2 * _WARM_UP, idle, seconds / idle_seconds)


def spoken(units: list[Unit], records: int, idle: list[Unit], times_idle: float) -> Spoken:
    """Return what was said per record, from the units of a busy and of an idle time.

    ``times_idle`` is how often the idle time fits into the busy one.
    """
    appending = [unit for unit in units if unit.appends]
    own, everything, resting = traffic(appending), traffic(units), traffic(idle)
    count = max(1, len(appending))
    return Spoken(
        statements=own.statements / count,
        round_trips=own.turns / count,
        all_statements=(everything.statements - times_idle * resting.statements) / records,
        all_round_trips=(everything.turns - times_idle * resting.turns) / records,
    )
