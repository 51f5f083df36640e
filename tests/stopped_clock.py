"""A database whose clock stands still, for what asks the database for the time."""

from __future__ import annotations

from datetime import datetime

import psycopg
from psycopg import sql

_FUNCTION = """
    CREATE FUNCTION stopped.clock_timestamp() RETURNS timestamptz LANGUAGE sql IMMUTABLE
    AS $$ SELECT {}::timestamptz $$
"""


def stop_clock(url: str, instant: datetime) -> None:
    """Make ``clock_timestamp()`` return ``instant`` on every connection opened from now on.

    Defaults of columns keep the real clock: they were bound when their table was made.

    Raises:
        RuntimeError: it does not.
    """
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA stopped")
        conn.execute(sql.SQL(_FUNCTION).format(sql.Literal(instant.isoformat())))
        altered = "ALTER DATABASE {} SET search_path = stopped, public, pg_catalog"
        conn.execute(sql.SQL(altered).format(sql.Identifier(conn.info.dbname)))
    with psycopg.connect(url) as conn:
        if conn.execute("SELECT clock_timestamp()").fetchall() != [(instant,)]:
            raise RuntimeError("the database's clock does not stand still")
