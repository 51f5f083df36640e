"""Classification of database errors: transient errors are retried, all others are not.

Errors::

    any exception
    |-- transient    server unreachable, restarting or full, or a transaction conflict: retry
    `-- permanent    our bug, or a database that was not migrated: isolate the record, then stop
"""

from __future__ import annotations

import re
from typing import Final

import asyncpg

_TRANSIENT: Final = (
    OSError,  # connection refused, reset, unreachable; TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,  # certificate, password
    asyncpg.OperatorInterventionError,  # shutdown, crash, cannot connect now, query cancelled
    asyncpg.InsufficientResourcesError,  # disk full, out of memory, too many connections
    asyncpg.TransactionRollbackError,  # deadlock, serialization failure
    asyncpg.LockNotAvailableError,
    asyncpg.PostgresSystemError,  # I/O error
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidCachedStatementError,  # a table was changed; asyncpg has dropped the statements
    asyncpg.OutdatedSchemaCacheError,
)

_CLOSED: Final = re.compile(r"clos(ed|ing)|released|terminated|another operation")


def is_transient(error: BaseException) -> bool:
    """Return whether a retry may succeed without a change to code or data."""
    if isinstance(error, _TRANSIENT):
        return True
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError)):
        # asyncpg uses one class for a closed connection and for arguments that don't fit a query.
        # Endless retries of the latter would block the stream. A connection that is cut during a
        # query shows as "cannot switch to state ...; another operation is in progress".
        return _CLOSED.search(str(error)) is not None
    return False


def is_not_migrated(error: BaseException) -> bool:
    """Return whether a table or column that this version needs is missing."""
    return isinstance(error, (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError))
