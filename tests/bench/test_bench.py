"""The short form of ``make bench``: all contenders reach the same result; a difference is found.

No test depends on time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner

from schemas import national_number
from schemas.codec import Outgoing
from streams import reference
from streams.runtime.settings import DatabaseSettings
from tests.bench import __main__ as command
from tests.bench.database import Connection
from tests.bench.history import END, History, clone, history
from tests.bench.replay import decoded, replay
from tests.bench.results import Contest, Result, Spread, Throughput, save
from tests.bench.roster import ROSTER, module
from tests.bench.run import Done, work_of
from tests.bench.scenarios.throughput import Expected
from tests.bench.stage import Output, Stage
from tests.bench.sync_connection import connect, finish
from tests.bench.work import Work, read

_EVENTS = 400
_OURS = (
    *("worker", "worker-x2", "stock", "naive", "pipelined", "floor", "consume-aiokafka"),
    "consume-confluent",
)


@pytest.fixture(scope="module")
def records() -> History:
    return history(_EVENTS, duplicates=0.05)


@pytest.fixture(scope="module")
def expected(records: History) -> Expected:
    return Expected.of(records)


@pytest.fixture(scope="module")
def truth(expected: Expected) -> Work:
    return expected.truth


@pytest.fixture(scope="module")
def stage(
    kafka_servers: str, records: History, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("bench") / "stage", kafka_servers) as made:
        made.fill(records.records)
        yield made
        made.clear()


RIVAL = replace(ROSTER["confluent-psycopg"], start=module("confluent-psycopg"))
"""A rival with the libraries of our own environment."""
CONTENDERS = {name: ROSTER[name] for name in _OURS} | {"rival": RIVAL}


@pytest.mark.kafka
@pytest.mark.parametrize("name", CONTENDERS)
def test_contender_stores_and_publishes_the_same(
    stage: Stage, records: History, expected: Expected, name: str
) -> None:
    contender = CONTENDERS[name]
    stage.output = expected.output()
    done = work_of(stage, contender, records)
    assert expected.differences(contender, done, stage.output) == []


def test_truth_holds_something_to_compare(records: History, truth: Work) -> None:
    assert len(records.records) > records.events == truth.events == _EVENTS
    assert len(truth.projections) > 100
    assert len(truth.escalations) > 20


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        ("UPDATE case_projection SET level = level + 1 WHERE case_id = 'case-1'", "projections"),
        ("DELETE FROM case_projection WHERE case_id = 'case-1'", "1 projections missing"),
        ("UPDATE escalation SET withdrawn_at = now()", "1 standing escalations missing"),
        ("UPDATE escalation SET office_id = 'nowhere'", "standing escalations too many"),
        ("DELETE FROM case_event", "0 events instead of 1"),
    ],
)
def test_planted_difference_is_reported(database_url: str, plant: str, said: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        _one_of_each(conn)
        before = read(conn)
        assert before.differences(read(conn)) == []
        conn.execute(plant.encode())
        found = "; ".join(before.differences(read(conn)))
    assert said in found


def _one_of_each(conn: Connection) -> None:
    """Insert one row into each compared table, for any set of columns."""
    conn.execute("SET session_replication_role = replica")
    for table, known in (
        ("case_event", {}),
        ("case_projection", {"level": "1"}),
        ("escalation", {"withdrawn_at": "NULL", "level": "1"}),
    ):
        filler = {
            "text": "'case-1'",
            "uuid": "gen_random_uuid()",
            "json": "'{}'",
            "bytea": "'x'",
            "timestamp with time zone": "now()",
            "uuid[]": "'{}'",
        }
        columns = conn.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            (table,),
        ).fetchall()
        values = [known.get(name) or filler.get(kind, "1") for name, kind in columns]
        names = ", ".join(f'"{name}"' for name, _ in columns)
        conn.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(values)})".encode())


def test_consumer_that_misses_a_record_is_reported(expected: Expected) -> None:
    done = Done(Work.of(expected.records - 1, (), ()))
    assert expected.differences(ROSTER["consume-aiokafka"], done, Output(0, 0, 0)) != []


@pytest.mark.slow
def test_contender_that_differs_fails_the_bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = Result(throughput=_throughput(naive=["round 1: 3 projections missing"]))
    save(result, tmp_path)
    monkeypatch.setattr(command, "HOME", tmp_path)
    ran = CliRunner().invoke(command.main, ["report"])
    assert ran.exit_code == 1
    assert "FAILED" in ran.output
    assert "3 projections missing" in ran.output
    goals = [line for line in (tmp_path / "result.md").read_text().splitlines() if "naive" in line]
    assert any("?" in line for line in goals), "a goal was decided by figures that do not count"

    save(Result(throughput=_throughput()), tmp_path)
    assert CliRunner().invoke(command.main, ["report"]).exit_code == 0


def _throughput(**failures: list[str]) -> Throughput:
    def contest(name: str) -> Contest:
        some = Spread.of([3.0, 1.0, 2.0])
        return Contest(
            rate=some,
            cpu_us=some,
            server_cpu_us=some,
            rss_mib=some,
            failures=failures.get(name, []),
        )

    names = ("worker", "naive")
    return Throughput(events=1, records=1, rounds=3, contenders={n: contest(n) for n in names})


def test_clones_are_other_people_with_the_same_history(records: History, truth: Work) -> None:
    cloned = decoded(clone(records.records, 3, b"other-"))
    assert {e.event_id for e in cloned}.isdisjoint(e.event_id for e in decoded(records.records))
    assert all(event.case_id.startswith("other-") for event in cloned)
    work, _ = replay(cloned, reference.load(), END)
    assert work.events == truth.events
    decided = [sorted(str(row[2:]) for row in one.projections) for one in (work, truth)]
    assert decided[0] == decided[1]


def test_no_reference_of_a_clone_looks_like_a_national_number() -> None:
    salt = int(cloned_reference(0), 16)
    one_that_becomes_a_number = int("85073003328abcde", 16) ^ salt
    assert not national_number.contains(cloned_reference(one_that_becomes_a_number))


def cloned_reference(reference: int) -> str:
    """Return what becomes of the reference of a case in the first clone."""
    record = Outgoing("icam.oqt-issued.v1", b"case-%016x" % reference, b"{}", ())
    (cloned,) = clone((record,), 1)
    return cloned.key.decode().removeprefix("case-")


def test_blocking_connection_speaks_as_asyncpg_does(database_url: str) -> None:
    conn = connect(DatabaseSettings(url=database_url), "test")
    instant, name = datetime(2026, 10, 31, 12, tzinfo=UTC), UUID(int=7)
    query = (
        "SELECT $1::uuid[] AS ids, $2::bytea AS raw, $3::timestamptz AS at, $4::text[] AS words,"
        " $5::bigint AS number, $6::text AS nothing, $7::bigint[] AS none"
    )
    values = ([name], b"\x00\xff", instant, ("a,b", '"{}\\'), 2**40, None, ())
    row = finish(conn.fetchrow(query, *values))
    assert list(row) == [[name], b"\x00\xff", instant, ["a,b", '"{}\\'], 2**40, None, []]
    assert row["at"] == row[2] == instant
    assert {**row}["number"] == dict(row)["number"] == 2**40
    finish(conn.execute("CREATE TEMP TABLE t (a integer, b text)"))
    finish(conn.executemany("INSERT INTO t VALUES ($1, $2)", [(1, "x"), (2, "y")]))
    assert finish(conn.execute("UPDATE t SET b = $1", "z")) == "UPDATE 2"
    assert finish(conn.fetchval("SELECT count(*) FROM t WHERE b = $1", "z")) == 2
    conn.connection.close()
