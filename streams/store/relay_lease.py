"""The lease of the relay: one row that says who publishes the outbox, with a fencing number.

A session lock would stay with a holder that is frozen, and any role could take it. The lease
expires by the clock of the database, and only the workers' role may write it. The fencing number
grows with each holder. Who marks messages as published must have the newest one, in the same
transaction.

Errors::

    RelayLostError     another relay took over: stop publishing
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from streams.store.pool import Connection

LEASE_SECONDS: Final = 9.0
"""How long a holder that says nothing keeps the lease."""
_OLD_LOCK: Final = 0x1CA4_0B0C
"""Key of the advisory lock by which workers of the version before let only one relay publish."""


class RelayLostError(Exception):
    """Another relay took over; messages of the wave in flight may be published twice."""


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds the relay and since when; ``fence`` is set if it is the caller."""

    holder: str
    since: datetime | None
    fence: int | None = None

    def __str__(self) -> str:
        since = f" since {self.since.isoformat(timespec='seconds')}" if self.since else ""
        return f"{self.holder or 'nobody'}{since}"


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease as anybody may read it."""

    holder: str
    """Its last holder; empty if there never was one."""
    since: datetime | None
    held: bool
    free_seconds: float | None
    """Since when it is free; None while it is held, and if it was given back."""


async def read(conn: Connection) -> Lease | None:
    """Return the lease; None if its row is missing."""
    row = await conn.fetchrow(
        """
        SELECT holder, since, expires_at >= clock_timestamp() AS held,
            CASE WHEN expires_at = '-infinity' OR expires_at >= clock_timestamp() THEN NULL
                 ELSE extract(epoch FROM clock_timestamp() - expires_at)::float8 END AS free_seconds
        FROM relay_lease
        """
    )
    return None if row is None else Lease(**row)


async def take(conn: Connection, holder: str) -> Held:
    """Take the lease if it is free; return who holds it now. Does not block.

    It is free when it expired, was given back, or when the session of its holder ended.
    """
    row = await conn.fetchrow(
        """
        SELECT fence, holder, since, expires_at < clock_timestamp()
            OR backend_pid IS NOT NULL AND NOT EXISTS (
                SELECT FROM pg_stat_activity AS session WHERE session.pid = lease.backend_pid
                AND coalesce(session.backend_start = lease.backend_start, true)) AS free
        FROM relay_lease AS lease
        """
    )
    if row is None:
        return Held("a row that is missing in relay_lease", None)
    if not row["free"]:
        return Held(row["holder"], row["since"])
    pid = conn.get_server_pid()
    if not await _excludes_the_version_before(conn, pid):
        return Held("a worker of the version before", None)
    taken = await conn.fetchrow(
        """
        UPDATE relay_lease SET fence = fence + 1, holder = $2, since = clock_timestamp(),
            expires_at = clock_timestamp() + make_interval(secs => $3),
            (backend_pid, backend_start) = (
                SELECT pid, backend_start FROM pg_stat_activity
                WHERE pid = $4 AND pid = pg_backend_pid())
        WHERE fence = $1 RETURNING fence, since
        """,
        row["fence"],
        holder,
        LEASE_SECONDS,
        pid,
    )
    if taken is None:
        return Held("another worker", None)
    return Held(holder, taken["since"], taken["fence"])


async def _excludes_the_version_before(conn: Connection, pid: int) -> bool:
    """Return whether no worker of the version before publishes, now or while the caller's session
    lasts.

    Such a worker holds the advisory lock alone; relays of this version share it, so a frozen one
    keeps no other of this version out. Any role may take that lock: one that is held by another
    role than ours is no worker's. A pooler that shares sessions never carried workers of the
    version before. The lock can go in the next version, with the last worker that knows it.
    """
    alone: bool = await conn.fetchval(
        """
        SELECT CASE WHEN pg_backend_pid() <> $2 THEN true
            ELSE pg_try_advisory_lock_shared($1) OR NOT EXISTS (
                SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE locktype = 'advisory' AND classid = 0 AND objid = $1::oid AND objsubid = 1
                AND mode = 'ExclusiveLock' AND granted AND usename = current_user
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
            END
        """,
        _OLD_LOCK,
        pid,
    )
    return alone


async def renew(conn: Connection, fence: int) -> None:
    """Keep the lease for its whole time from now on.

    Raises:
        RelayLostError: another relay took over.
    """
    renewed = await conn.fetchval(
        """
        UPDATE relay_lease SET expires_at = clock_timestamp() + make_interval(secs => $2)
        WHERE fence = $1 RETURNING set_config('synchronous_commit', 'off', true)
        """,
        fence,
        LEASE_SECONDS,
    )
    if renewed is None:
        raise RelayLostError


async def release(conn: Connection, fence: int) -> None:
    """Give the lease back, so that another relay need not wait until it expires."""
    await conn.execute("UPDATE relay_lease SET expires_at = '-infinity' WHERE fence = $1", fence)
    await conn.execute(
        "SELECT CASE WHEN pg_backend_pid() = $1 THEN pg_advisory_unlock_all() END",
        conn.get_server_pid(),
    )
