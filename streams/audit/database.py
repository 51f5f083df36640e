"""Read-only snapshot of the database, read row by row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import Any, Final, LiteralString

import psycopg
from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from streams.audit.errors import DatabaseUnreadable

_FETCH_ROWS: Final = 5000


class Snapshot:
    """The database as of one instant: every query sees the same rows.

    ``now`` is the database's clock when the snapshot was opened.
    """

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection
        self._names = count(1)
        self.now: datetime = self.one("SELECT clock_timestamp()")

    def rows(self, query: LiteralString, *values: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query through a server-side cursor, never all in memory."""
        cursor = self._connection.cursor(name=f"audit_{next(self._names)}")
        try:
            cursor.execute(query, values)
            fetched = _FETCH_ROWS
            while fetched == _FETCH_ROWS:
                rows = cursor.fetchmany(_FETCH_ROWS)
                fetched = len(rows)
                yield from rows
        finally:
            try:
                cursor.close()
            except psycopg.Error:
                # The first attempt finds that the connection is lost, and leaves the cursor open.
                cursor.close()
                raise

    def found(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query that looks up a batch, in one round trip."""
        # Not prepared: behind a pooler, the statement would stay with a connection of others.
        return self._connection.execute(query, values, prepare=False).fetchall()

    def one(self, query: LiteralString) -> Any:
        """Return the single value of a query."""
        row = self._connection.execute(query).fetchone()
        return None if row is None else row[0]


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """Open a snapshot; leaves the database unchanged.

    Raises:
        DatabaseUnreadable: the snapshot can't be opened, or a query in it failed.
    """
    try:
        given: dict[str, Any] = dict(conninfo_to_dict(url))
        options = f"{given.get('options') or ''} -c timezone=UTC".strip()
        with psycopg.connect(
            make_conninfo(
                **{"connect_timeout": 15, **given, "options": options},
                application_name="icam-audit",
            )
        ) as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield Snapshot(connection)
            connection.rollback()
    except psycopg.Error as error:
        text = (error.diag.message_primary or str(error)).strip()
        raise DatabaseUnreadable(f"{type(error).__name__}: {text}") from None
