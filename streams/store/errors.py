"""Which database errors pass by themselves.

Errors::

    any exception
    |-- transient    the server is away, restarting, full, or two transactions collided: retry
    `-- the rest     our bug, or a database that was not migrated: isolate, then stop
"""

from __future__ import annotations

from typing import Final

import asyncpg

_TRANSIENT: Final = (
    OSError,  # connection refused, reset, unreachable; TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,  # "connection is closed", "pool is closing"
    asyncpg.OperatorInterventionError,  # shutdown, crash, cannot connect now, query cancelled
    asyncpg.InsufficientResourcesError,  # disk full, out of memory, too many connections
    asyncpg.TransactionRollbackError,  # deadlock, serialization failure
    asyncpg.LockNotAvailableError,
    asyncpg.PostgresSystemError,  # I/O error
    asyncpg.IdleInTransactionSessionTimeoutError,
)


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later without anyone changing code or data."""
    return isinstance(error, _TRANSIENT)
