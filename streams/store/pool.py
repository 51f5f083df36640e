"""Connection pool, and the session settings of every connection."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from streams.runtime.settings import DatabaseSettings
from streams.store.tls import check_files

if TYPE_CHECKING:  # generic in the stubs only
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = PoolConnectionProxy

_DEAD_AFTER_SECONDS: Final = 15
"""Time without an answer after which client and server treat the connection as dead."""
_KEEPALIVE_SECONDS: Final = 5
"""Idle time before a keepalive probe, and between probes."""


async def open_pool(database: DatabaseSettings, name: str) -> Pool:
    """Open a pool with one connection; more are opened when needed.

    ``name`` is shown in ``pg_stat_activity``.

    Raises:
        OSError, asyncpg.PostgresError: the server can't be reached or refuses the connection.
        CertificateFileError: a certificate or key that the URL names can't be read.
    """
    check_files(database.url.get_secret_value())
    timeout_ms = str(int(database.statement_timeout_seconds * 1000))
    keepalive, dead_after_ms = str(_KEEPALIVE_SECONDS), str(_DEAD_AFTER_SECONDS * 1000)
    return await asyncpg.create_pool(
        database.url.get_secret_value(),
        min_size=1,
        max_size=database.pool_size,
        timeout=5,
        command_timeout=database.statement_timeout_seconds + 5,
        init=_detect_dead_server,
        server_settings={
            "application_name": name,
            "timezone": "UTC",
            # A default of the role, the database or the server must not decide these two: with
            # "off" a crash of the server loses batches whose offsets are committed.
            "synchronous_commit": "on",
            "default_transaction_isolation": "read committed",
            "jit": "off",
            # A generic plan made while the tables are empty would keep scanning them when full.
            "enable_seqscan": "off",
            "statement_timeout": timeout_ms,
            "lock_timeout": timeout_ms,
            # A worker that hangs in a transaction must not keep its locks.
            "idle_in_transaction_session_timeout": timeout_ms,
            # Without these, after a network cut the server keeps an idle session for two hours, and
            # with it the relay lock: no message would be published until then.
            "tcp_keepalives_idle": keepalive,
            "tcp_keepalives_interval": keepalive,
            "tcp_user_timeout": dead_after_ms,
        },
    )


async def _detect_dead_server(conn: asyncpg.Connection[Any]) -> None:
    """Enable TCP keepalive and user timeout, so that the kernel closes a dead connection.

    Without them, the kernel retransmits at intervals that double, so that after a network cut of
    one minute the connection recovers up to a minute late. It also does not notice a server that
    disappears while the client waits for an answer.
    """
    transport = cast(Any, conn)._transport  # asyncpg has no public access to the socket
    sock = transport.get_extra_info("socket")
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_AFTER_SECONDS * 1000)


class LatePool:
    """A pool that is opened at its first use, as the database may be unreachable at startup."""

    def __init__(self, database: DatabaseSettings, name: str) -> None:
        self._database = database
        self._name = name
        self._opened: Pool | None = None
        self._opening = asyncio.Lock()

    async def __call__(self) -> Pool:
        """Return the pool; open it when it is not open yet.

        Raises:
            OSError, asyncpg.PostgresError: the server can't be reached or refuses the connection.
        """
        async with self._opening:
            if self._opened is None:
                self._opened = await open_pool(self._database, self._name)
            return self._opened

    def terminate(self) -> None:
        """Close all connections immediately, without waiting for running queries."""
        if self._opened is not None:
            self._opened.terminate()
