"""Every policy and directory that ever decided something, kept under its digest."""

from __future__ import annotations

from streams.domain.directory.model import Directory
from streams.domain.policy.rules import Policy
from streams.store.pool import Connection


async def record(conn: Connection, policy: Policy, directory: Directory) -> None:
    """Keep the text of the reference data in use; done before anything is decided with it."""
    await conn.executemany(
        """
        INSERT INTO reference_table (digest, kind, version, body) VALUES ($1, $2, $3, $4)
        ON CONFLICT (digest) DO NOTHING
        """,
        [
            (policy.digest, "policy", policy.version, policy.body),
            (directory.digest, "directory", directory.version, directory.body),
        ],
    )
