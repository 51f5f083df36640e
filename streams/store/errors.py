"""Classification of database errors: some are retried, all others are not.

Errors::

    any exception
    |-- transient    server unreachable, restarting, read-only or full, or a conflict: retry
    |-- operator     password, privilege, limit, configuration: retry, and say what to do
    `-- permanent    our bug, or a database that was not migrated: isolate the record, then stop
"""

from __future__ import annotations

import re
from typing import Final

import asyncpg

from streams.domain.policy.versions import PolicyLackingError
from streams.store import tls
from streams.store.address import PasswordUnreadableError, PoolerError
from streams.store.publication_errors import NotPublished, VersionUnreadable
from streams.store.sqlstates import POOLER, Kind, Rule, rule_of

_CLOSED: Final = re.compile(r"clos(ed|ing)|released|terminated|another operation")
_UNREACHABLE: Final = Rule(
    Kind.TRANSIENT, "check that PostgreSQL runs and that ICAM_DATABASE__URL names it"
)
_NO_HOST_WRITABLE: Final = Rule(
    Kind.TRANSIENT,
    "no host of ICAM_DATABASE__URL is as its target_session_attrs asks: wait for the failover, or "
    "name all hosts",
)
_UNREADABLE: Final = Rule(
    Kind.OPERATOR, "make the file of ICAM_DATABASE__URL_FILE or __PASSWORD_FILE readable"
)
_AGAIN: Final = Rule(Kind.TRANSIENT, "wait: the connection is opened again")
_BUG: Final = Rule(Kind.BUG)


def rule(error: BaseException) -> Rule:
    """Return what an error of asyncpg, of psycopg or of the network means."""
    why = tls.explain(error)
    if why is not None and not isinstance(error, asyncpg.InterfaceError):
        return Rule(Kind.OPERATOR, why)
    match error:
        case asyncpg.TargetServerAttributeNotMatched():
            return _NO_HOST_WRITABLE
        case asyncpg.InvalidCachedStatementError() | asyncpg.OutdatedSchemaCacheError():
            return _AGAIN  # the tables were changed while their statements were cached
        case asyncpg.InterfaceError() | asyncpg.InternalClientError():
            # asyncpg uses one class for a closed connection and for arguments that don't fit a
            # query. Endless retries of the latter would block the stream. A connection that is cut
            # during a query shows as "cannot switch to state ...; another operation is in
            # progress".
            return _AGAIN if _CLOSED.search(str(error)) else _BUG
        case PoolerError():
            return POOLER
        case PasswordUnreadableError():
            return _UNREADABLE
        case NotPublished() | VersionUnreadable():
            return Rule(Kind.OPERATOR, str(error))
        case PolicyLackingError():  # published while the case was being read
            return _AGAIN
        case OSError():  # connection refused, reset, unreachable; TimeoutError is one
            return _UNREACHABLE
    code = getattr(error, "sqlstate", None)
    return rule_of(code) if isinstance(code, str) else _BUG


def is_transient(error: BaseException) -> bool:
    """Return whether a retry may succeed without a change to code or data."""
    return rule(error).kind is not Kind.BUG


def advice(error: BaseException) -> str:
    """Return what to do about an error, in our own words; empty for a bug of ours."""
    return rule(error).advice


def log_fields(error: BaseException) -> dict[str, str]:
    """Return an error's type for a log line and, unless it is a bug of ours, what to do."""
    why = advice(error)
    return {"error": type(error).__name__, **({"why": why} if why else {})}


def asks_for_new_connections(error: BaseException) -> bool:
    """Return whether open connections lead to a server that can't serve them any more."""
    code = getattr(error, "sqlstate", None) or ""
    return code in {"25006", "26000", "42P05"} or code.startswith(("08", "57P"))


def is_refused(error: BaseException) -> bool:
    """Return whether the server refuses our role: its login, its privilege, or the database."""
    code = getattr(error, "sqlstate", None) or ""
    return code == "42501" or code[:2] in {"28", "3D", "3F"}


def is_not_migrated(error: BaseException) -> bool:
    """Return whether a table or column that this version needs is missing."""
    return isinstance(error, (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError))
