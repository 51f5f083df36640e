"""Which database errors pass by themselves.

Errors::

    any exception
    |-- transient    the server is away, restarting, full, or two transactions collided: retry
    `-- the rest     our bug, or a database that was not migrated: isolate, then stop
"""

from __future__ import annotations

import re
from typing import Final

import asyncpg

_TRANSIENT: Final = (
    OSError,  # connection refused, reset, unreachable; TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutdown, crash, cannot connect now, query cancelled
    asyncpg.InsufficientResourcesError,  # disk full, out of memory, too many connections
    asyncpg.TransactionRollbackError,  # deadlock, serialization failure
    asyncpg.LockNotAvailableError,
    asyncpg.PostgresSystemError,  # I/O error
    asyncpg.IdleInTransactionSessionTimeoutError,
)

_GONE: Final = re.compile(r"clos(ed|ing)|released|terminated|another operation")


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later without anyone changing code or data."""
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError)):
        # One class for a connection that went away and for arguments that don't fit a query;
        # retrying the latter for ever would hold up the stream. A connection cut at the wrong
        # moment shows as "cannot switch to state ...; another operation is in progress".
        return _GONE.search(str(error)) is not None
    return isinstance(error, _TRANSIENT)


def is_not_migrated(error: BaseException) -> bool:
    """Whether a table or column that this version needs is not there."""
    return isinstance(error, (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError))
