"""Translate errors that a person can act on into one line and an exit code."""

from __future__ import annotations

from typing import Final, NamedTuple

import asyncpg
import psycopg
from pydantic import ValidationError

from streams.audit.errors import AuditError, DatabaseUnreadable
from streams.domain.directory.load import DirectoryError
from streams.domain.policy.load import PolicyError
from streams.embedded.errors import EmbeddedError
from streams.intake.repair import RepairError
from streams.kafka.acls import AclsError
from streams.kafka.connection import SecretUnreadable, Unreachable
from streams.kafka.publish import PublishError
from streams.kafka.topics import TopicsError
from streams.store import tls
from streams.store.errors import is_transient
from streams.worker.errors import WorkerError

FINDINGS: Final = 1
USAGE_ERROR: Final = 2
UNREACHABLE: Final = 3


class DescribedError(NamedTuple):
    """One line for a person, and the exit code."""

    message: str
    code: int


def describe_error(error: Exception) -> DescribedError | None:
    """Return the message and exit code of an error; None if it is a bug of ours."""
    if (refused := tls.explain(error)) is not None:
        return _database(refused)
    match error:
        case RepairError() | PolicyError() | DirectoryError() | EmbeddedError():
            return DescribedError(str(error), FINDINGS)
        case DatabaseUnreadable():
            return DescribedError(tls.advice(str(error)) or str(error), UNREACHABLE)
        case TopicsError() | PublishError() | AclsError() | Unreachable() | AuditError():
            return DescribedError(str(error), UNREACHABLE)
        case WorkerError() | SecretUnreadable():
            return DescribedError(str(error), USAGE_ERROR)
        case ValidationError():
            faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            return DescribedError(f"settings: {'; '.join(faults)}", USAGE_ERROR)
        case asyncpg.UndefinedTableError() | psycopg.errors.UndefinedTable():
            return DescribedError("the database has no tables yet: run icam migrate", FINDINGS)
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidCatalogNameError():
            return _database(str(error))
        case psycopg.OperationalError():
            return _database(str(error).splitlines()[0])
    return _database(str(error) or type(error).__name__) if is_transient(error) else None


def _database(message: str) -> DescribedError:
    return DescribedError(f"database: {message}; check ICAM_DATABASE__URL", UNREACHABLE)
