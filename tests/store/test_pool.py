"""Client and server both close a connection whose other end does not answer."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

import psycopg
import uvloop
from pydantic import SecretStr

from streams.runtime.settings import DatabaseSettings
from streams.store.pool import Pool, open_pool


async def test_the_server_closes_a_dead_session(pool: Pool) -> None:
    async with pool.acquire() as conn:
        settings = [
            await conn.fetchval("SELECT current_setting($1)", name)
            for name in ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_user_timeout")
        ]
    assert settings == ["5", "5", "15000"]


async def test_a_statement_that_waits_for_two_frozen_transactions_in_a_row_gets_its_lock(
    database_url: str,
) -> None:
    """The second one gets the lock of the first when that is ended, and does nothing with it."""
    database = DatabaseSettings(url=SecretStr(database_url), statement_timeout_seconds=3)
    pools = [await open_pool(database, name) for name in ("first", "second", "waiting")]
    lock = "SELECT pg_advisory_xact_lock($1)"
    try:
        first, second, waiting = [await one.acquire() for one in pools]
        for conn, key in ((first, 1), (second, 2)):
            await conn.execute("BEGIN")
            await conn.execute(lock, key)
        waits = asyncio.create_task(second.execute(lock, 1))
        await waiting.execute(lock, 2)  # its own time limit does not end it first
        await waits
    finally:
        for pool in pools:
            pool.terminate()


async def test_defaults_of_the_database_do_not_decide_what_a_commit_means(
    database_url: str,
) -> None:
    name = database_url.rpartition("/")[2]
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        conn.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = serializable")
    pool = await open_pool(DatabaseSettings(url=SecretStr(database_url)), "test")
    try:
        for _ in range(2):  # a connection is reset when it returns to the pool
            async with pool.acquire() as acquired:
                assert await acquired.fetchval("SHOW synchronous_commit") == "on"
                assert await acquired.fetchval("SHOW transaction_isolation") == "read committed"
    finally:
        pool.terminate()


def test_the_worker_closes_a_dead_connection(database_url: str) -> None:
    """On uvloop, which workers use and which has its own sockets."""

    async def options() -> tuple[int, ...]:
        pool = await open_pool(DatabaseSettings(url=database_url), "test")
        try:
            async with pool.acquire() as conn:
                sock = cast(Any, conn)._con._transport.get_extra_info("socket")
                with socket.socket(fileno=socket.dup(sock.fileno())) as same:
                    return (
                        same.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                        same.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                        same.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
                        same.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
                    )
        finally:
            await pool.close()

    assert uvloop.run(options()) == (1, 5, 5, 15_000)
