"""Migrations keep existing data, and workers of the previous version keep running."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner

from schemas.codec import decode
from schemas.codec import digest as digest_of
from schemas.exact_json import canonical
from streams.cli import main
from streams.embedded import process
from streams.embedded.postgres import EmbeddedPostgres
from streams.store import migrate, schema_version
from streams.store.pool import Pool
from streams.worker.app import _accept_tables
from streams.worker.errors import TablesTooNewError
from tests.pipeline.stage import until
from tests.schemas.examples import EXAMPLES, binary

Versions = Callable[[int], tuple[str, psycopg.Connection]]

_EVENT: Final = """
    INSERT INTO case_event (event_id, case_id, type, source, occurred_at, payload, digest, topic,
                            "partition", "offset")
    VALUES (%s, 'case-a', 'icam.oqt-issued.v1', '/t', '2026-03-01T10:00:00.5+01', %s, '', 't', 0,
            %s)
"""
_INSTANT: Final = "2026-03-02T09:00:00+01"
_BREAKS_PREVIOUS_VERSION: Final = re.compile(
    r"\b(DROP (?!INDEX|CONSTRAINT \w+_check\b)|RENAME|ALTER (COLUMN )?\S+ (SET DATA )?TYPE"
    r"|SET NOT NULL|ADD (CONSTRAINT|CHECK|UNIQUE)|ADD COLUMN (?![^;]*DEFAULT)[^;]*NOT NULL)",
    re.IGNORECASE,
)


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Versions]:
    """Return a function that creates a database with only the first ``number`` migrations."""
    with ExitStack() as stack:

        def create(number: int) -> tuple[str, psycopg.Connection]:
            old = tmp_path / "migrations"
            old.mkdir()
            for known in range(1, number + 1):
                for file in migrate.MIGRATIONS.glob(f"{known:04d}.*"):
                    (old / file.name).write_text(file.read_text())
            postgres = stack.enter_context(EmbeddedPostgres(tmp_path / "postgres"))
            with monkeypatch.context() as patch:
                patch.setattr(migrate, "MIGRATIONS", old)
                migrate.apply(postgres.url)
            conn = stack.enter_context(psycopg.connect(postgres.url, autocommit=True))
            return postgres.url, conn

        yield create


@pytest.mark.server
def test_the_second_migration_keeps_facts_evidence_and_unpublished_rows(version: Versions) -> None:
    url, conn = version(1)
    events = [uuid4(), uuid4()]
    escalation, raised, routed = uuid4(), uuid4(), uuid4()
    for number, event_id in enumerate(events):
        conn.execute(_EVENT, [event_id, json.dumps({"order_id": f"O-{number}"}), number])
    conn.execute(
        "INSERT INTO case_projection (case_id, facts) VALUES ('case-a', %s), ('case-b', '[]')",
        [json.dumps([{"key": str(n), "event_id": str(e)} for n, e in enumerate(events)])],
    )
    conn.execute(
        "INSERT INTO escalation (escalation_id, round, case_id, order_id, rule_id, occasion,"
        " level, action, policy_version, policy_digest, office_id, track, evidence, event_ids,"
        " due_at, raised_at) VALUES (%s, 1, 'case-a', 'o', 'r', 'x', 1, 'a', '1', 'd', 'f', 't',"
        " '{}', '{}', %s, %s)",
        [escalation, _INSTANT, _INSTANT],
    )
    body = json.dumps(
        {"kind": "raised", "escalation_id": str(escalation), "round": 1, "evidence": {"facts": []}}
    )
    for message, text, published in ((routed, "{}", _INSTANT), (raised, body, None)):
        conn.execute(
            "INSERT INTO outbox (message_id, topic, key, headers, body, published_at)"
            " VALUES (%s, 't', 'case-a', '[]', %s, %s)",
            [message, text, published],
        )

    migrate.apply(url)

    _expect_migrated(conn, events, raised)

    _roll_back(url, to=1)

    keys = conn.execute(
        "SELECT facts->0->>'key', facts->1->>'key' FROM case_projection ORDER BY case_id"
    ).fetchall()
    assert keys == [("order:O-0", "order:O-1"), (None, None)]
    lines = (f"order:O-{n}\t2026-03-01T09:00:00.500000+00:00\t{e}\n" for n, e in enumerate(events))
    old = conn.execute("SELECT digest FROM case_projection WHERE case_id = 'case-a'").fetchall()
    assert old == [(sha256("".join(lines).encode()).digest(),)]
    assert conn.execute("SELECT evidence FROM escalation").fetchall() == [({"facts": []},)]
    unpublished = conn.execute("SELECT message_id FROM outbox WHERE published_at IS NULL")
    assert unpublished.fetchall() == [(raised,)]

    migrate.apply(url)
    _expect_migrated(conn, events, raised)


@pytest.mark.server
def test_workers_can_write_while_the_third_migration_builds_its_index(version: Versions) -> None:
    url, conn = version(2)
    # As left behind by an interrupted build.
    conn.execute("CREATE INDEX case_event_by_time ON case_event (source)")
    with ThreadPoolExecutor(1) as thread, psycopg.connect(url) as worker:
        worker.execute(_EVENT, [uuid4(), "{}", 0])
        applying = thread.submit(migrate.apply, url)
        waits = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'virtualxid'"
        until(lambda: conn.execute(waits).rowcount == 1, 30, "the build waits for that worker")
        conn.execute("SET lock_timeout = '5s'")

        conn.execute(_EVENT, [uuid4(), "{}", 1])

        worker.commit()
        assert applying.result(30)[0] == "0003.what-came-in-lately"
    assert _index(conn) == [("brin", True)]
    _roll_back(url, to=2)
    assert _index(conn) == []


@pytest.mark.server
def test_the_eighth_migration_drops_unknown_fields_and_keeps_what_the_codec_reads(
    version: Versions,
) -> None:
    url, conn = version(5)
    expected: dict[UUID, tuple[str, bytes]] = {}
    for number, (name, example) in enumerate(EXAMPLES.items()):
        record = binary(name)
        event = decode(record.topic, record.key, record.value, record.headers)
        more = {k: {**v, "remark": "x"} if isinstance(v, dict) else v for k, v in example.items()}
        old = canonical({**more, "surname": "Jansen", "Zzz": [1, {"order_id": 2}]}).decode()
        for stored, event_id in ((old, uuid4()), (event.payload.decode(), uuid4())):
            digest = b"old" if stored is old else event.digest
            conn.execute(
                "INSERT INTO case_event VALUES (%s, %s, %s, '/t', %s, DEFAULT, %s, %s, 't', 0, %s)",
                [event_id, event.case_id, name, event.time, stored, digest, number],
            )
            expected[event_id] = (event.payload.decode(), event.digest)
    of_fraction = uuid4()
    fraction = [of_fraction, "2026-03-01T10:00:00.5+01", '{"surname":"Jansen"}', b"old"]
    conn.execute(
        "INSERT INTO case_event VALUES (%s, 'case-0001', 'icam.follow-up-ended.v1', '/t', %s,"
        " DEFAULT, %s, %s, 't', 0, 99)",
        fraction,
    )
    at = datetime.fromisoformat("2026-03-01T09:00:00.5+00:00")
    its_digest = digest_of("icam.follow-up-ended.v1", "case-0001", at, b"{}")

    migrate.apply(url)

    rows = conn.execute("SELECT event_id, payload::text, digest FROM case_event").fetchall()
    assert {row[0]: (row[1], row[2]) for row in rows} == {
        **expected,
        of_fraction: ("{}", its_digest),
    }
    _roll_back(url, to=5)
    migrate.apply(url)


@pytest.mark.server
def test_the_first_contract_makes_an_id_unique_for_its_source(version: Versions) -> None:
    url, conn = version(16)
    insert = (
        "INSERT INTO case_event VALUES (%s, 'case-0001', 'icam.follow-up-ended.v1', %s,"
        " '2026-03-01', DEFAULT, '{}', 'd', 't', 0, 0)"
    )
    event_id = uuid4()
    conn.execute(insert, [event_id, "/register"])
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute(insert, [event_id, "/other"])

    migrate.apply(url, contract=True)

    conn.execute(insert, [event_id, "/other"])
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute(insert, [event_id, "/other"])
    conn.execute("DELETE FROM case_event WHERE source = '/other'")
    _roll_back(url, to=16)
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute(insert, [event_id, "/other"])
    migrate.apply(url, contract=True)


@pytest.mark.server
def test_the_second_contract_cleans_cases_that_only_rejected_records_named(
    version: Versions,
) -> None:
    url, conn = version(17)
    conn.execute(_EVENT, [uuid4(), "{}", 0])
    conn.execute("INSERT INTO case_projection (case_id) VALUES ('case-a'), ('ghost-01')")
    conn.execute(
        'INSERT INTO dead_letter (topic, partition, "offset", key, headers, reason, detail,'
        " case_ids) VALUES ('t', 0, 0, 'case-a', '[]', 'schema', '', '{case-a,ghost-01,case-b}'),"
        " ('t', 0, 1, NULL, '[]', 'schema', '', '{case-a}')"
    )

    migrate.apply(url, contract=True)

    named = conn.execute('SELECT case_ids FROM dead_letter ORDER BY "offset"').fetchall()
    assert named == [(["case-a"],), ([],)]
    assert conn.execute("SELECT case_id FROM case_projection").fetchall() == [("case-a",)]
    _roll_back(url, to=17)
    migrate.apply(url, contract=True)


@pytest.mark.server
def test_contracts_wait_for_the_last_worker_of_the_previous_version(version: Versions) -> None:
    url, _ = version(11)
    known = schema_version.known()
    contracts = [name for name in known if ".contract-" in name]

    applied = migrate.apply(url)

    assert applied == [name for name in known if name > "0012" and name not in contracts]
    assert migrate.apply(url) == []
    assert migrate.pending(url) == ([], contracts)
    assert migrate.apply(url, contract=True) == contracts
    assert migrate.pending(url) == ([], [])


def test_only_contracts_that_nothing_follows_wait() -> None:
    names = ["0001.log", "0002.contract-log", "0003.more", "0004.contract-a", "0005.contract-b"]

    assert schema_version.contracts(names) == ["0004.contract-a", "0005.contract-b"]
    assert schema_version.contracts(names[:3]) == []
    assert schema_version.contracts([]) == []


def _index(conn: psycopg.Connection) -> list[tuple[str, bool]]:
    found = conn.execute(
        "SELECT amname, indisvalid FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid"
        " JOIN pg_am ON pg_am.oid = relam WHERE relname = 'case_event_by_time'"
    )
    return [(method, valid) for method, valid in found.fetchall()]


@pytest.mark.server
def test_a_migration_that_is_killed_leaves_no_lock_and_another_one_waits(
    version: Versions, tmp_path: Path
) -> None:
    url, conn = version(3)
    conn.execute(
        "INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, '2026-03-01', 1)"
    )  # of before
    blocked = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
    with psycopg.connect(url) as worker, ThreadPoolExecutor(1) as thread:
        worker.execute("LOCK TABLE outbox")
        killed = process.start(
            [sys.executable, "-m", "streams", "migrate"],
            tmp_path / "migrate.log",
            env={"ICAM_DATABASE__URL": url},
        )
        until(lambda: conn.execute(blocked).rowcount == 1, 30, "it migrates")
        second = thread.submit(migrate.apply, url)
        waits = "SELECT FROM pg_stat_activity WHERE application_name = 'icam-migrate'"
        until(lambda: conn.execute(waits).rowcount == 2, 30, "the second one waits")
        assert conn.execute(blocked).rowcount <= 1
        process.kill(killed)
        until(lambda: conn.execute(waits).rowcount == 1, 30, "the first one is gone")
        worker.rollback()

        assert second.result(30)[0].startswith("0004")
    assert migrate.pending(url).now == []
    assert migrate.apply(url) == []


@pytest.mark.server
def test_a_worker_that_would_deadlock_with_a_migration_goes_on(version: Versions) -> None:
    url, conn = version(12)
    held = """
        SELECT FROM pg_locks WHERE relation = 'case_event'::regclass AND granted
        AND mode = 'AccessExclusiveLock'
    """
    with psycopg.connect(url) as worker, ThreadPoolExecutor(1) as thread:
        worker.execute("SELECT count(*) FROM case_projection")
        migrating = thread.submit(migrate.apply, url)
        until(lambda: conn.execute(held).rowcount == 1, 30, "it holds the log, needs projections")
        assert worker.execute("SELECT count(*) FROM case_event").fetchone() == (0,)
        assert not migrating.done()
        worker.commit()

        assert migrating.result(30)[0].startswith("0013")
    assert migrate.pending(url).now == []


@pytest.mark.server
def test_a_migration_ends_when_another_session_does_not(
    version: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = version(12)
    monkeypatch.setattr(migrate, "_PATIENCE_SECONDS", 0)
    with psycopg.connect(url) as idler:
        idler.execute("SELECT count(*) FROM case_projection")
        with pytest.raises(migrate.MigrationError, match=r"0013.*long transaction"):
            migrate.apply(url)
    assert migrate.apply(url)[0].startswith("0013")


@pytest.mark.server
def test_a_role_that_can_not_migrate_and_holds_the_lock_is_named(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("CREATE ROLE idler LOGIN")
        try:
            url = database_url.replace("//postgres@", "//idler@")
            with psycopg.connect(url, autocommit=True) as idler:
                idler.execute("SELECT pg_advisory_lock(%s)", [migrate._LOCK])
                with pytest.raises(migrate.MigrationError) as refused:
                    migrate.apply(database_url)
                assert f"pg_terminate_backend({idler.info.backend_pid})" in str(refused.value)
        finally:
            owner.execute("DROP ROLE idler")


@pytest.mark.server
async def test_tables_that_are_newer_are_named_and_refused_once_something_was_taken_away(
    database_url: str, pool: Pool
) -> None:
    async with pool.acquire() as conn:
        assert await schema_version.read_unknown(conn) == []
        for name in ("9001.more", "9002.contract-less"):
            await conn.execute(
                "INSERT INTO _yoyo_migration (migration_hash, migration_id) VALUES ($1, $1)", name
            )
            newer = await schema_version.read_unknown(conn)
            assert newer[-1] == name
            if ".contract-" not in name:
                _accept_tables(newer)

    with pytest.raises(TablesTooNewError, match=r"9002\.contract-less.*install the version"):
        _accept_tables(newer)
    assert migrate.newer(database_url) == newer
    shown = CliRunner().invoke(main, ["migrate"], env={"ICAM_DATABASE__URL": database_url})
    assert (shown.exit_code, "newer  9001.more" in shown.stdout) == (1, True)


def test_a_migration_that_takes_something_away_says_so_in_its_name() -> None:
    for file in migrate.MIGRATIONS.glob("*.sql"):
        if not file.stem.endswith(".rollback"):
            contracts = "\n-- contracts: " in file.read_text()
            assert contracts == bool(schema_version.too_new([file.stem])), file.name


def test_every_migration_is_compatible_with_workers_of_the_previous_version() -> None:
    """Expand first, contract one version later, and name the expanding migration.

    The second migration is the only exception: it required stopping the workers.
    """
    known = {
        file.stem: file.read_text()
        for file in sorted(migrate.MIGRATIONS.glob("*.sql"))
        if not file.stem.endswith(".rollback")
    }
    breaking = {}
    for name, sql in known.items():
        contracted = re.findall(r"^-- contracts: (\S+)$", sql, re.MULTILINE)
        assert all(earlier < name and earlier in known for earlier in contracted), name
        if not contracted and (found := _BREAKS_PREVIOUS_VERSION.search(_statements(sql))):
            breaking[name] = found.group()

    assert breaking == {"0002.the-log-is-the-only-copy": "DROP "}


def _statements(sql: str) -> str:
    return re.sub(r"--.*", "", sql)


def _expect_migrated(conn: psycopg.Connection, events: list[UUID], raised: UUID) -> None:
    digests = conn.execute("SELECT case_id, digest FROM case_projection").fetchall()
    assert sorted(digests) == [("case-a", _digest(events)), ("case-b", _digest([]))]
    assert conn.execute("SELECT message_id FROM escalation").fetchall() == [(raised,)]
    unpublished = conn.execute("SELECT message_id FROM outbox JOIN outbox_pending USING (position)")
    assert unpublished.fetchall() == [(raised,)]


def _roll_back(url: str, to: int) -> None:
    """Roll back all migrations after ``to``, newest first, as `yoyo rollback` does."""
    with migrate._Backend(url) as backend:
        later = migrate._migrations().filter(lambda one: int(one.id[:4]) > to)
        backend.rollback_migrations(backend.to_rollback(later))


def _digest(events: list[UUID]) -> bytes:
    return sha256(b"".join(sorted(event.bytes for event in events))).digest()
