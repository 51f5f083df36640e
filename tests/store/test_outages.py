"""What a database does to a worker: it waits, says what to do, and recovers without help.

On real servers; the probe is the worker's own.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import psycopg
import pytest
from psycopg.pq import DiagnosticField
from pydantic import SecretStr

from streams.embedded.postgres import EmbeddedPostgres
from streams.runtime.settings import DatabaseSettings
from streams.runtime.state import WorkerState
from streams.store import migrate
from streams.store.errors import advice, is_transient
from streams.store.pool import open_pool
from streams.store.sqlstates import RULES, Kind, rule_of
from streams.worker import database_probe
from streams.worker.database_probe import probe_database
from tests.domain.given import ref


@contextmanager
def _read_only(url: str) -> Iterator[None]:
    """Turn a server read-only, sessions that are open included, as a failover does."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET default_transaction_read_only = off")
        conn.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        conn.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            conn.execute("ALTER SYSTEM RESET default_transaction_read_only")
            conn.execute("SELECT pg_reload_conf()")


@asynccontextmanager
async def _probed(
    database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WorkerState]:
    monkeypatch.setattr(database_probe, "_SECONDS", 0.05)
    pool, state = await open_pool(database, "test", writes=True), WorkerState()
    task = asyncio.create_task(probe_database(pool, state, ref()))
    try:
        yield state
        assert not task.done(), "the probe goes on"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        pool.terminate()


async def _until(true: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert true(), what


async def test_a_server_that_turns_read_only_is_away_until_it_takes_writes_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _probed(DatabaseSettings(url=SecretStr(database_url)), monkeypatch) as state:
        with _read_only(database_url):
            await _until(lambda: state.database_away, "it is noticed")
            await _until(lambda: "target_session_attrs" in state.database_says, "and said")
        await _until(lambda: not state.database_away, "it is back")
        assert state.database_says == ""


@pytest.fixture
def second(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    tmp_path.chmod(0o755)
    with EmbeddedPostgres(tmp_path / "postgres", {"fsync": "off"}) as server:
        yield server


async def test_a_write_that_meets_a_read_only_server_goes_to_the_next_host(
    database_url: str, second: EmbeddedPostgres
) -> None:
    demoted = database_url.split("@")[1].split("/")[0]
    name = database_url.rsplit("/", 1)[1]
    with psycopg.connect(second.url, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
    url = f"postgresql://postgres@{demoted},127.0.0.1:{second.port}/{name}"
    pool = await open_pool(DatabaseSettings(url=SecretStr(url)), "test", writes=True)
    async with pool.acquire() as conn_a:
        assert f":{await conn_a.fetchval('SHOW port')}" in demoted
    with _read_only(database_url):
        write = "CREATE TABLE IF NOT EXISTS written (n integer)"

        async def until_refused() -> None:
            while True:  # until the server has read its file
                async with pool.acquire() as conn:
                    await conn.execute(write)

        with pytest.raises(asyncpg.ReadOnlySQLTransactionError) as refused:
            await until_refused()
        assert is_transient(refused.value)

        async with pool.acquire() as conn_b:
            await conn_b.execute(write)
            assert await conn_b.fetchval("SHOW port") == str(second.port)
    pool.terminate()


@pytest.fixture
def role(database_url: str) -> Iterator[psycopg.Connection]:
    """Role ``app`` with a password that is asked for; yields the superuser's connection."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        (path,) = conn.execute("SHOW hba_file").fetchone() or ("",)
        hba = Path(path)
        before = hba.read_text()
        conn.execute("CREATE ROLE app LOGIN PASSWORD 'one'")
        hba.write_text("host all app 127.0.0.1/32 scram-sha-256\n" + before)
        conn.execute("SELECT pg_reload_conf()")
        try:
            yield conn
        finally:
            hba.write_text(before)
            conn.execute("SELECT pg_reload_conf()")
            conn.execute("DROP OWNED BY app; DROP ROLE app")


async def test_every_refusal_of_a_role_is_waited_for_and_says_what_to_do(
    database_url: str,
    role: psycopg.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = database_url.rsplit("/", 1)[1]
    password, urls = tmp_path / "password", tmp_path / "url"
    address = database_url.replace("//postgres@", "//app:old@")
    password.write_text("one\n")
    urls.write_text(address)
    settings = DatabaseSettings(url_file=urls, password_file=password)

    def sql(*statements: str) -> Callable[[], None]:
        def run() -> None:
            for statement in statements:
                role.execute(statement.encode())

        return run

    refusals: list[tuple[Callable[[], object], str, Callable[[], object]]] = [
        (
            sql("ALTER ROLE app PASSWORD 'two'"),
            "password",
            lambda: password.write_text("two"),
        ),
        (sql("ALTER ROLE app NOLOGIN"), "pg_hba.conf", sql("ALTER ROLE app LOGIN")),
        (
            sql("ALTER ROLE app CONNECTION LIMIT 0"),
            "connection limit",
            sql("ALTER ROLE app CONNECTION LIMIT -1"),
        ),
        (
            sql(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"),
            "roles.sql",
            sql(f"GRANT CONNECT ON DATABASE {name} TO PUBLIC"),
        ),
        (
            lambda: urls.write_text(address + "_gone"),
            "name of the database",
            lambda: urls.write_text(address),
        ),
        (password.unlink, "PASSWORD_FILE", lambda: password.write_text("two")),
    ]
    async with _probed(settings, monkeypatch) as state:
        for refuse, words, allow in refusals:
            await _until(lambda: not state.database_away, words)
            refuse()

            def refused(words: str = words) -> bool:
                # Again and again: the pool may be connecting with what was right a moment ago.
                role.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"
                )
                return words in state.database_says

            await _until(refused, words)
            allow()
        await _until(lambda: not state.database_away, "it is back")


async def test_a_missed_grant_is_no_bug_of_ours(
    database_url: str, role: psycopg.Connection
) -> None:
    url = database_url.replace("//postgres@", "//app:one@")
    pool = await open_pool(DatabaseSettings(url=SecretStr(url)), "test", writes=True)
    with pytest.raises(asyncpg.InsufficientPrivilegeError) as refused:
        async with pool.acquire() as conn:
            await conn.fetch("SELECT FROM case_event")
    pool.terminate()

    assert role.closed is False
    assert is_transient(refused.value)
    assert "roles.sql" in advice(refused.value)


async def test_tables_that_change_below_a_cached_statement_are_no_bug_of_ours(
    database_url: str,
) -> None:
    pool = await open_pool(DatabaseSettings(url=SecretStr(database_url)), "test")
    async with pool.acquire() as conn, pool.acquire() as owner:
        await conn.execute("CREATE TABLE changing (n integer)")
        await conn.fetch("SELECT * FROM changing")
        await owner.execute("ALTER TABLE changing ADD COLUMN more text")
        async with conn.transaction():
            with pytest.raises(asyncpg.InvalidCachedStatementError) as stale:
                await conn.fetch("SELECT * FROM changing")
    pool.terminate()

    assert is_transient(stale.value)


@pytest.mark.server
async def test_a_server_that_shuts_down_is_waited_for(second: EmbeddedPostgres) -> None:
    data = next((second.directory / "data").rglob("postmaster.pid"))
    with psycopg.connect(second.url):
        # It waits for this session, and refuses new ones.
        os.kill(int(data.read_text().split()[0]), signal.SIGTERM)

        async def until_refused() -> asyncpg.PostgresError:
            while True:
                try:
                    await (await asyncpg.connect(second.url)).close()
                except asyncpg.PostgresError as error:
                    return error

        async with asyncio.timeout(10):
            refused = await until_refused()
    assert refused.sqlstate == "57P03"
    assert is_transient(refused)
    assert advice(refused) == "wait: the server starts, stops or recovers"


def test_a_session_that_a_pooler_mixed_up_is_waited_for_and_named(database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        conn.pgconn.prepare(b"ours", b"SELECT $1::int + $2::int")
        answer = conn.pgconn.exec_prepared(b"ours", [b"1"])
        code = (answer.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    mixed_up = asyncpg.PostgresError.new({"C": code, "M": "bind message supplies 1 parameter"})
    assert mixed_up.sqlstate == "08P01"
    assert is_transient(mixed_up)
    assert "a connection pooler refuses or mixes up sessions" in advice(mixed_up)


def test_the_table_has_every_class_of_errors_that_postgresql_has() -> None:
    codes = {
        code
        for error in vars(asyncpg.exceptions).values()
        if isinstance(code := getattr(error, "sqlstate", None), str)
    }

    assert {code[:2] for code in RULES} == {code[:2] for code in codes}
    assert {code for code in RULES if len(code) == 5} <= codes
    assert [
        code for code, rule in RULES.items() if (rule.kind is Kind.BUG) == bool(rule.advice)
    ] == []
    assert rule_of("ZZ999").kind is Kind.BUG, "a class that PostgreSQL does not have"


async def test_a_database_without_tables_is_not_waited_for(server_url: str) -> None:
    assert migrate.pending(server_url).now, "it has none"
    pool = await open_pool(DatabaseSettings(url=SecretStr(server_url)), "test")
    with pytest.raises(asyncpg.UndefinedTableError) as missing:
        async with pool.acquire() as conn:
            await conn.fetch("SELECT FROM case_event")
    pool.terminate()

    assert not is_transient(missing.value)
