"""A client that froze in the middle of a statement loses its session; all others keep theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import psycopg
import pytest

from streams.runtime.settings import DatabaseSettings
from streams.store.errors import is_transient
from streams.store.frozen_sessions import end_frozen
from streams.store.pool import Connection, Pool, open_pool

_LOCK = "SELECT pg_advisory_xact_lock(1)"


@asynccontextmanager
async def _session(url: str, name: str, lock: str = _LOCK) -> AsyncIterator[Connection]:
    """Yield a connection of its own pool, in a transaction that holds a lock."""
    pool = await open_pool(DatabaseSettings(url=url), name)
    try:
        conn = await pool.acquire()
        await conn.execute("BEGIN")
        await conn.execute(lock)
        yield conn
    finally:
        pool.terminate()


async def _freeze(conn: Connection) -> None:
    """Leave a connection as a client does that freezes once a statement is described."""
    await conn.prepare("SELECT 1")
    await asyncio.sleep(0.1)


@pytest.mark.parametrize("name", ["test", "icam-rebuild"])
async def test_a_client_that_froze_in_a_statement_loses_its_locks(
    database_url: str, pool: Pool, name: str
) -> None:
    async with _session(database_url, name) as frozen, pool.acquire() as conn:
        pid = frozen.get_server_pid()
        await _freeze(frozen)
        [ended] = await end_frozen(conn, 0.05)
        assert (ended.pid, ended.application) == (pid, name)
        assert 0.05 < ended.seconds < 60
        await conn.execute(_LOCK)  # it is free

        with pytest.raises((asyncpg.InterfaceError, asyncpg.InternalClientError)) as raised:
            await frozen.execute("COMMIT")
        assert is_transient(raised.value), "it begins anew when it goes on"
        assert await end_frozen(conn, 0.05) == []


async def test_a_short_pause_is_no_freeze(database_url: str, pool: Pool) -> None:
    async with _session(database_url, "test") as conn, pool.acquire() as other:
        await _freeze(conn)
        assert await end_frozen(other, 60) == []
        assert await conn.fetchval("SELECT 2") == 2


async def test_a_session_that_works_or_waits_is_left_alone(database_url: str, pool: Pool) -> None:
    async with (
        _session(database_url, "test") as idle,
        _session(database_url, "test", "SELECT 1") as working,
        _session(database_url, "test", "SELECT 1") as waiting,
        pool.acquire() as conn,
    ):
        works = asyncio.create_task(working.fetchval("SELECT 3 FROM pg_sleep(0.5)"))
        waits = asyncio.create_task(waiting.fetchval(_LOCK))
        await asyncio.sleep(0.2)
        assert await end_frozen(conn, 0) == []
        assert await works == 3
        await idle.execute("COMMIT")  # PostgreSQL has a limit for it
        await waits


@pytest.mark.parametrize("name", ["psql", "another-group"])
async def test_the_sessions_of_others_are_left_alone(
    database_url: str, pool: Pool, name: str
) -> None:
    async with _session(database_url, name) as theirs, pool.acquire() as conn:
        await _freeze(theirs)
        assert await end_frozen(conn, 0) == []


async def test_the_sessions_of_other_roles_and_databases_are_left_alone(
    database_url: str, server_url: str, pool: Pool
) -> None:
    name = database_url.rpartition("/")[2]
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name}_other LOGIN PASSWORD 'x'")
    as_other = database_url.replace("//postgres@", f"//{name}_other:x@")
    assert as_other != database_url
    async with (
        _session(as_other, "test") as theirs,
        _session(server_url, "test") as elsewhere,
        pool.acquire() as conn,
    ):
        await _freeze(theirs)
        await _freeze(elsewhere)
        assert await end_frozen(conn, 0) == []
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"DROP ROLE {name}_other")
