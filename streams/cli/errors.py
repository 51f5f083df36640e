"""Errors that a person can act on: what to say, and with which exit code to end."""

from __future__ import annotations

from typing import Final, NamedTuple

import asyncpg
import psycopg
from pydantic import ValidationError

from streams.audit.errors import AuditError
from streams.domain.directory.load import DirectoryError
from streams.domain.policy.load import PolicyError
from streams.embedded.errors import EmbeddedError
from streams.intake.repair import RepairError
from streams.kafka.publish import PublishError
from streams.kafka.topics import TopicsError
from streams.store.errors import is_transient

FOUND: Final = 1
WRONG: Final = 2
UNREACHABLE: Final = 3


class Told(NamedTuple):
    """One line for a person, and the exit code."""

    message: str
    code: int


def describe_error(error: Exception) -> Told | None:
    """Return what to say of an error; None of one that nobody foresaw."""
    match error:
        case RepairError() | PolicyError() | DirectoryError() | EmbeddedError():
            return Told(str(error), FOUND)
        case TopicsError() | PublishError() | AuditError():
            return Told(str(error), UNREACHABLE)
        case ValidationError():
            faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            return Told(f"settings: {'; '.join(faults)}", WRONG)
        case asyncpg.UndefinedTableError() | psycopg.errors.UndefinedTable():
            return Told("the database has no tables yet: run icam migrate", FOUND)
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidCatalogNameError():
            return _database(str(error))
        case psycopg.OperationalError():
            return _database(str(error).splitlines()[0])
    return _database(str(error) or type(error).__name__) if is_transient(error) else None


def _database(says: str) -> Told:
    return Told(f"database: {says}; check ICAM_DATABASE__URL", UNREACHABLE)
