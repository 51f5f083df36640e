"""Database errors are classified as transient or not, with errors of a real server."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from streams.store.errors import is_transient
from streams.store.pool import Pool


async def _failure(pool: Pool, sql: str, *values: object) -> BaseException:
    async with pool.acquire() as conn:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the test classifies any error
            await conn.fetch(sql, *values)
    return caught.value


async def test_a_closed_connection_is_transient(pool: Pool) -> None:
    async with pool.acquire() as conn:
        pid = await conn.fetchval("SELECT pg_backend_pid()")
        async with pool.acquire() as other:
            await other.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(Exception) as cut:  # noqa: PT011
            await conn.fetch("SELECT 1")
        with pytest.raises(Exception) as again:  # noqa: PT011
            await conn.fetch("SELECT 1")
    assert is_transient(cut.value)
    assert is_transient(again.value), "a second use of the closed connection"


async def test_a_statement_timeout_is_transient(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await conn.execute("SET statement_timeout = 10")
        with pytest.raises(asyncpg.QueryCanceledError) as slow:
            await conn.fetch("SELECT pg_sleep(5)")
    assert is_transient(slow.value)


async def test_an_unreachable_server_is_transient() -> None:
    with pytest.raises(OSError) as away:  # noqa: PT011
        await asyncpg.connect("postgresql://postgres@127.0.0.1:1/postgres")
    assert is_transient(away.value)


async def test_a_deadlock_is_transient(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        await one.execute("CREATE TABLE pair (n int PRIMARY KEY); INSERT INTO pair VALUES (1), (2)")
        update = "UPDATE pair SET n = n WHERE n = $1"

        async def lock(conn: asyncpg.Connection, first: int, second: int) -> None:
            async with conn.transaction():
                await conn.execute(update, first)
                await asyncio.sleep(0.1)
                await conn.execute(update, second)

        results = await asyncio.gather(
            lock(one, 1, 2),  # type: ignore[arg-type]
            lock(two, 2, 1),  # type: ignore[arg-type]
            return_exceptions=True,
        )
    (deadlock,) = [error for error in results if error is not None]
    assert is_transient(deadlock)


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT * FROM no_such_table", ()),
        ("SELECT 1/0", ()),
        ("SELECT $1::integer", ("not a number",)),
        ("SELECT $1::integer", (1, 2)),
        ("SELECT json_array_elements('{}'::json)", ()),
    ],
)
async def test_an_invalid_statement_is_not_transient(
    pool: Pool, sql: str, values: tuple[object, ...]
) -> None:
    assert not is_transient(await _failure(pool, sql, *values))
