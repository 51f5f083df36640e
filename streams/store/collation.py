"""Whether the order of text is still the one that the indexes were built with."""

from __future__ import annotations

import psycopg


def is_outdated(url: str) -> bool:
    """Return whether the system orders text otherwise than when the database was made. Blocks.

    An upgrade of the server's system may do that. Indexes on text then miss rows, case ids among
    them. A database with ``C`` or ``C.UTF-8`` has no such version.

    Raises:
        psycopg.Error: the database can't be read.
    """
    with psycopg.connect(url, autocommit=True) as conn:
        found = conn.execute(
            """
            SELECT datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)
            FROM pg_database WHERE datname = current_database()
            """
        ).fetchone()
    return bool(found and found[0])
