"""The methods of an asyncpg connection that ``streams.store`` uses, over a blocking psycopg one.

Peers without asyncio run the pipeline's SQL through it. Its coroutines never wait for an event
loop, so ``finish`` runs one to its end without a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import RawCursor
from psycopg.rows import no_result
from psycopg.types.array import ListBinaryDumper

from streams.runtime.settings import DatabaseSettings

T = TypeVar("T")


class Row(tuple[Any, ...]):
    """A row as in asyncpg: access by position and name, and as a mapping; iterates over values."""

    __slots__ = ()
    _places: dict[str, int] = {}

    def __getitem__(self, key: Any) -> Any:
        return tuple.__getitem__(self, self._places[key] if isinstance(key, str) else key)

    def keys(self) -> Iterable[str]:
        return self._places.keys()

    def values(self) -> Iterator[Any]:
        return iter(self)

    def items(self) -> Iterator[tuple[str, Any]]:
        return zip(self._places, self, strict=True)

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self._places else default


_ROWS: dict[tuple[str, ...], type[Row]] = {}


def _row_maker(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], Any]:
    if cursor.description is None:
        return no_result
    names = tuple(column.name for column in cursor.description)
    made = _ROWS.get(names)
    if made is None:
        places = {name: place for place, name in enumerate(names)}
        made = _ROWS[names] = type("Row", (Row,), {"__slots__": (), "_places": places})
    return made


class SyncConnection:
    """One blocking connection with asyncpg's methods; the caller owns the transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def _run(self, query: str, values: Sequence[Any]) -> RawCursor[Any]:
        cursor: RawCursor[Any] = RawCursor(self.connection, row_factory=_row_maker)
        cursor.execute(query.encode(), [_plain(value) for value in values])
        return cursor

    async def execute(self, query: str, *values: Any) -> str:
        """Run a statement and return its status, such as ``UPDATE 3``."""
        return self._run(query, values).statusmessage or ""

    async def executemany(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each row of values."""
        cursor: RawCursor[Any] = RawCursor(self.connection, row_factory=_row_maker)
        cursor.executemany(query.encode(), [[_plain(value) for value in row] for row in rows])

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        """Return all rows."""
        return self._run(query, values).fetchall()

    async def fetchrow(self, query: str, *values: Any) -> Any:
        """Return the first row, or None."""
        return self._run(query, values).fetchone()

    async def fetchval(self, query: str, *values: Any) -> Any:
        """Return the first value of the first row, or None."""
        row = self._run(query, values).fetchone()
        return None if row is None else row[0]


def _plain(value: Any) -> Any:
    """Return a value that psycopg binds like asyncpg: any sequence is an array.

    An empty sequence has no element type, so it is sent as a literal.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        return value
    return list(value) or "{}"


def connect(database: DatabaseSettings, name: str) -> SyncConnection:
    """Open a connection with the session settings of ``streams.store.pool``.

    Every statement is prepared on first use, as in asyncpg.
    """
    timeout = str(int(database.statement_timeout_seconds * 1000))
    settings = {
        "timezone": "UTC",
        "jit": "off",
        "enable_seqscan": "off",
        "statement_timeout": timeout,
        "lock_timeout": timeout,
        "idle_in_transaction_session_timeout": str(int(database.idle_transaction_seconds * 1000)),
    }
    connection = psycopg.connect(
        database.url.get_secret_value(),
        autocommit=True,
        application_name=name,
        options=" ".join(f"-c {key}={value}" for key, value in settings.items()),
    )
    connection.prepare_threshold = 0
    # The text format would escape each element in Python.
    connection.adapters.register_dumper(list, ListBinaryDumper)
    return SyncConnection(connection)


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits for a loop, and return its result.

    Raises:
        RuntimeError: it waited for an event loop.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("the coroutine waits for an event loop")
