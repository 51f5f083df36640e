"""Every policy, directory and calendar ever used for a decision, stored by digest."""

from __future__ import annotations

from streams.domain.clocks import Calendar
from streams.domain.directory.model import Directory
from streams.domain.policy.rules import Policy
from streams.store.pool import Connection


async def are_newest(
    conn: Connection, policy: Policy, directory: Directory, calendar: Calendar
) -> bool:
    """Return whether no other policy, directory or calendar was first used after these."""
    found: bool = await conn.fetchval(
        """
        SELECT NOT EXISTS (
            SELECT 1 FROM reference_table AS mine JOIN reference_table AS later USING (kind)
            WHERE mine.digest = any($1::text[]) AND later.first_used > mine.first_used)
        """,
        [policy.digest, directory.digest, calendar.digest],
    )
    return found


async def record(
    conn: Connection, policy: Policy, directory: Directory, calendar: Calendar
) -> None:
    """Store the texts of policy, directory and calendar. May be repeated.

    Call it before any case is decided with them.
    """
    await conn.executemany(
        """
        INSERT INTO reference_table (digest, kind, version, body) VALUES ($1, $2, $3, $4)
        ON CONFLICT (digest) DO NOTHING
        """,
        [
            (policy.digest, "policy", policy.version, policy.body),
            (directory.digest, "directory", directory.version, directory.body),
            (calendar.digest, "calendar", calendar.version, calendar.body),
        ],
    )
