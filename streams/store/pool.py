"""The connection pool and the session settings that every connection gets."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from streams.runtime.settings import DatabaseSettings

if TYPE_CHECKING:  # generic in the stubs only
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = PoolConnectionProxy

_SILENCE_SECONDS: Final = 15
"""How long the other end may say nothing before the connection is taken for dead, on both ends."""
_ASK_AFTER_SECONDS: Final = 5


async def open_pool(database: DatabaseSettings, name: str) -> Pool:
    """Open a pool; ``name`` shows in ``pg_stat_activity``. Connections are made when first used.

    Raises:
        OSError, asyncpg.PostgresError: the server can't be reached or refuses us.
    """
    timeout_ms = str(int(database.statement_timeout_seconds * 1000))
    ask, silence_ms = str(_ASK_AFTER_SECONDS), str(_SILENCE_SECONDS * 1000)
    return await asyncpg.create_pool(
        database.url.get_secret_value(),
        min_size=1,
        max_size=database.pool_size,
        timeout=5,
        command_timeout=database.statement_timeout_seconds + 5,
        init=_notice_silence,
        server_settings={
            "application_name": name,
            "timezone": "UTC",
            "jit": "off",
            # A generic plan made while the tables are empty scans them for ever after.
            "enable_seqscan": "off",
            "statement_timeout": timeout_ms,
            "lock_timeout": timeout_ms,
            # A worker frozen inside a transaction must not hold its locks for ever.
            "idle_in_transaction_session_timeout": timeout_ms,
            # Where the network is cut, the server keeps an idle session for two hours, and with it
            # the lock that makes one relay publish: no message would leave until then.
            "tcp_keepalives_idle": ask,
            "tcp_keepalives_interval": ask,
            "tcp_user_timeout": silence_ms,
        },
    )


async def _notice_silence(conn: asyncpg.Connection[Any]) -> None:
    """Have the kernel end the connection when the server falls silent.

    By itself it sends again at intervals that double: after a cut of a minute, up to a minute late;
    and of an answer that was on its way when the server's end went, it never hears.
    """
    transport = cast(Any, conn)._transport  # there is no other way to its socket
    line = transport.get_extra_info("socket")
    if line.family == socket.AF_UNIX:
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _ASK_AFTER_SECONDS)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _ASK_AFTER_SECONDS)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE_SECONDS * 1000)


class LatePool:
    """A pool that is opened when it is first needed: the database may be away at the start."""

    def __init__(self, database: DatabaseSettings, name: str) -> None:
        self._database = database
        self._name = name
        self._opened: Pool | None = None
        self._opening = asyncio.Lock()

    async def __call__(self) -> Pool:
        """Return the pool.

        Raises:
            OSError, asyncpg.PostgresError: the server can't be reached or refuses us.
        """
        async with self._opening:
            if self._opened is None:
                self._opened = await open_pool(self._database, self._name)
            return self._opened

    def terminate(self) -> None:
        """Close every connection at once."""
        if self._opened is not None:
            self._opened.terminate()
