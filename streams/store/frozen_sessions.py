"""End sessions whose client froze in the middle of a statement, so that their locks are released.

The server's limit, ``idle_in_transaction_session_timeout``, counts between statements only. asyncpg
sends a statement that is new to a connection in two steps, and describes it in between without a
sync (its issue 1276). A client that freezes there leaves the session active, waiting for its
client: no limit of the server ends that before version 17.
"""

from __future__ import annotations

from typing import NamedTuple

from streams.store.pool import Connection


class Ended(NamedTuple):
    """A session that was ended."""

    pid: int
    application: str
    seconds: float
    """How long the server had waited for its client."""


async def end_frozen(conn: Connection, after_seconds: float) -> list[Ended]:
    """End our sessions that have waited so long for their client in a transaction; return them.

    Ours are those of this role and database with the name of this session or of a command. Does not
    block. A client that goes on finds its connection closed, and its transaction undone.

    Raises:
        asyncpg.InsufficientPrivilegeError: the role may not call ``pg_terminate_backend``.
    """
    # As a condition, pg_terminate_backend could be called before the others are checked.
    rows = await conn.fetch(
        """
        SELECT pid, application_name,
            extract(epoch FROM clock_timestamp() - state_change)::float8,
            pg_terminate_backend(pid)
        FROM pg_stat_activity
        WHERE usename = session_user AND datname = current_database()
            AND (application_name = current_setting('application_name')
                OR application_name LIKE 'icam-%')
            AND state = 'active' AND wait_event = 'ClientRead' AND xact_start IS NOT NULL
            AND state_change < clock_timestamp() - make_interval(secs => $1)
        """,
        after_seconds,
    )
    return [Ended(pid, name, seconds) for pid, name, seconds, ended in rows if ended]
