"""Connection pool, and the session settings of every connection."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import asyncpg
from asyncpg.pool import PoolAcquireContext, PoolConnectionProxy

from streams.runtime.settings import DatabaseSettings
from streams.store import address, tls
from streams.store.address import DEAD_AFTER_MS, KEEPALIVE_SECONDS, PoolerError
from streams.store.errors import asks_for_new_connections
from streams.store.sqlstates import POOLER

if TYPE_CHECKING:  # generic in the stubs only
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = PoolConnectionProxy


async def open_pool(database: DatabaseSettings, name: str, *, writes: bool = False) -> Pool:
    """Open a pool with one connection; more are opened when needed.

    ``name`` is shown in ``pg_stat_activity``. With ``writes`` only a server that takes writes is
    connected to, and each statement is planned once, for any arguments. Each connection reads the
    address and its files again, so a password that is changed needs no restart. An error which
    shows that the server can't serve us any more, as after a failover, has all connections
    replaced.

    Raises:
        OSError, asyncpg.PostgresError: the server can't be reached or refuses the connection.
        AddressError: the URL can't be used.
        CertificateFileError: a certificate or key that the URL names can't be read.
    """
    timeout_ms = str(int(database.statement_timeout_seconds * 1000))
    idle_ms = str(int(database.idle_transaction_seconds * 1000))
    keepalive, dead_after_ms = str(KEEPALIVE_SECONDS), str(DEAD_AFTER_MS)
    settings = {
        "application_name": name,
        "timezone": "UTC",
        # A default of the role, the database or the server must not decide these two: with "off" a
        # crash of the server loses batches whose offsets are committed.
        "synchronous_commit": "on",
        "default_transaction_isolation": "read committed",
        "jit": "off",
        # A generic plan made while the tables are empty would keep scanning them when full.
        "enable_seqscan": "off",
        "statement_timeout": timeout_ms,
        "lock_timeout": timeout_ms,
        # A worker that hangs in a transaction must not keep its locks. A statement that waits for
        # two of them in a row gets both before its own time limit; see frozen_sessions.
        "idle_in_transaction_session_timeout": idle_ms,
        # Without these, after a network cut the server keeps an idle session for two hours, and
        # with it the locks of its transaction.
        "tcp_keepalives_idle": keepalive,
        "tcp_keepalives_interval": keepalive,
        "tcp_user_timeout": dead_after_ms,
    }
    if writes:
        # The worker repeats a few statements. With few cases in a batch the server would plan each
        # call anew, which costs more than most of them.
        settings["plan_cache_mode"] = "force_generic_plan"

    async def connect(**named: Any) -> asyncpg.Connection[Any]:
        to = address.read(database, writes=writes)
        tls.check_files(to.for_psycopg())
        arguments = to.for_asyncpg()
        arguments["server_settings"] |= settings
        conn: asyncpg.Connection[Any] = await asyncpg.connect(
            **arguments,
            command_timeout=database.statement_timeout_seconds + 5,
            **named,
        )
        _detect_dead_server(conn, to)
        return conn

    opened = _ReplacingPool(
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        init_size=1,
        min_size=1,
        max_size=database.pool_size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        connect=cast(Any, connect),
        setup=None,
        init=None,
        reset=cast(Any, _leave_session),
        loop=None,
    )
    return await opened


async def _leave_session(_: asyncpg.Connection[Any]) -> None:
    """Send nothing at a release: nobody leaves settings, cursors or locks in a session.

    The client's own statement for that would be one more round trip for every unit of work.
    """


async def expect_own_session(conn: Connection) -> None:
    """Check that no pooler stands between us and the server.

    A pooler drops the settings that guarantees rest on (``synchronous_commit``, time limits), or
    refuses them, and mixes up prepared statements. It announces a process id of its own.

    Raises:
        PoolerError: there is one.
    """
    pid: int = await conn.fetchval("SELECT pg_backend_pid()")
    if pid != conn.get_server_pid():
        raise PoolerError(POOLER.advice)


async def role_writes(conn: Connection) -> bool:
    """Return whether the role of this connection may add to the log of cases."""
    may: bool | None = await conn.fetchval(
        "SELECT bool_or(has_any_column_privilege(oid, 'INSERT')) FROM pg_class"
        " WHERE relname = 'case_event'"
    )
    return bool(may)


class _ReplacingPool(asyncpg.Pool):
    """A pool that gives up its connections when one of them shows that none can serve us."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        return _Acquired(self, timeout)


class _Acquired(PoolAcquireContext):
    async def __aexit__(self, *raised: Any) -> None:
        if raised[1] is not None and asks_for_new_connections(raised[1]):
            await self.pool.expire_connections()
        await super().__aexit__(*raised)


def _detect_dead_server(conn: asyncpg.Connection[Any], to: address.Address) -> None:
    """Enable TCP keepalive and user timeout, so that the kernel closes a dead connection.

    Without them, the kernel retransmits at intervals that double, so that after a network cut of
    one minute the connection recovers up to a minute late. It also does not notice a server that
    disappears while the client waits for an answer.
    """
    transport = cast(Any, conn)._transport  # asyncpg has no public access to the socket
    sock = transport.get_extra_info("socket")
    if sock.family == socket.AF_UNIX:
        return
    on, idle, interval, count, timeout_ms = to.keepalives
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(on))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    if count is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)


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
