"""Translate errors that a person can act on into one line and an exit code."""

from __future__ import annotations

from typing import Final, NamedTuple

import asyncpg
import psycopg
from pydantic import ValidationError
from pydantic_settings import SettingsError

from schemas.checkpoints import CheckpointError, KeyUnreadable
from schemas.producers import ProducersError
from streams.audit.errors import AuditError, DatabaseUnreadable
from streams.casework.whatif_progress import ResumeError
from streams.domain.directory.load import DirectoryError
from streams.domain.policy.load import PolicyError
from streams.embedded.errors import EmbeddedError
from streams.intake.repair import NoAnswer, RepairError
from streams.kafka.acls import AclsError
from streams.kafka.connection import SecretUnreadable, Unreachable
from streams.kafka.publish import PublishError
from streams.kafka.quotas import QuotasError
from streams.kafka.topics import TopicsError
from streams.reference.staffing import StaffingError
from streams.runtime.processes import ProcessEnded
from streams.services.checkpoint import HistoryChanged
from streams.store import tls
from streams.store.access import NotRecorded, ReaderUnknown
from streams.store.address import AddressError
from streams.store.dead_letter_requests import ApprovalError
from streams.store.errors import advice, is_transient
from streams.store.events import UnreadableEvent
from streams.store.migrate import MigrationError
from streams.store.publication_errors import PublicationError
from streams.store.read_only import WroteSomething
from streams.store.sqlstates import rule_of
from streams.store.worklist import OfficeRefusedError
from streams.worker.errors import WorkerError

FINDINGS: Final = 1
USAGE_ERROR: Final = 2
UNREACHABLE: Final = 3
"""Nothing is wrong with what was asked: the same command may succeed later."""


_REFUSALS: Final = {
    "password": "28P01",
    "pg_hba.conf": "28000",
    "role ": "28000",
    "too many": "53300",
    "permission denied": "42501",
    "does not exist": "3D000",
}
"""Words of a refused connection, with the code that asyncpg gets for the same."""


class DescribedError(NamedTuple):
    """One line for a person, and the exit code."""

    message: str
    code: int


def describe_error(error: Exception) -> DescribedError | None:
    """Return the message and exit code of an error; None if it is a bug of ours."""
    if (refused := tls.explain(error)) is not None:
        return DescribedError(f"database: {refused}; check ICAM_DATABASE__URL", UNREACHABLE)
    match error:
        case ExceptionGroup():  # of several loops: each may have failed for the same reason
            found = [describe_error(one) for one in error.exceptions]
            return None if None in found else found[0]
        case NoAnswer() | OfficeRefusedError() | NotRecorded() | ProcessEnded():
            return DescribedError(str(error), UNREACHABLE)
        case RepairError() | PolicyError() | DirectoryError() | ProducersError() | EmbeddedError():
            return DescribedError(str(error), FINDINGS)
        case StaffingError():
            return DescribedError(str(error), FINDINGS)
        case KeyUnreadable():
            return DescribedError(str(error), USAGE_ERROR)
        case CheckpointError() | HistoryChanged():
            return DescribedError(str(error), FINDINGS)
        case DatabaseUnreadable():
            return DescribedError(tls.advice(str(error)) or _unreadable(str(error)), UNREACHABLE)
        case TopicsError() | QuotasError() | PublishError() | AclsError() | Unreachable():
            return DescribedError(str(error), UNREACHABLE)
        case AuditError():
            return DescribedError(str(error), UNREACHABLE)
        case WorkerError() | SecretUnreadable():
            return DescribedError(str(error), USAGE_ERROR)
        case ValidationError():
            faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            return DescribedError(f"settings: {'; '.join(faults)}", USAGE_ERROR)
        case SettingsError():
            return DescribedError(f"settings: {error}", USAGE_ERROR)
        case UnreadableEvent():
            return DescribedError(f"{error}: see runbook IcamDeadLetterOurBug", FINDINGS)
        case AddressError() | ReaderUnknown() | ResumeError():
            return DescribedError(str(error), USAGE_ERROR)
        case MigrationError() | ApprovalError() | PublicationError() | WroteSomething():
            return DescribedError(str(error), FINDINGS)
        case asyncpg.UndefinedTableError() | psycopg.errors.UndefinedTable():
            return DescribedError("the database has no tables yet: run icam migrate", FINDINGS)
        case psycopg.OperationalError() if error.sqlstate is None:  # no connection
            return _database(error, _libpq(error))
    return _database(error, advice(error)) if is_transient(error) else None


def _libpq(error: psycopg.OperationalError) -> str:
    """Return what to do when libpq could not connect: it gives no code, only text."""
    refusal = _refusal(str(error))
    return refusal or "check that PostgreSQL runs and that ICAM_DATABASE__URL names it"


def _unreadable(text: str) -> str:
    """Return why the audit could not read the database, and what to do if its role is refused."""
    refusal = _refusal(text)
    return f"{text.splitlines()[0]}; {refusal}" if refusal else text


def _refusal(text: str) -> str | None:
    for words, code in _REFUSALS.items():
        if words in text:
            return rule_of(code).advice
    return None


def _database(error: Exception, do: str) -> DescribedError:
    says = (str(error).splitlines() or [""])[0].strip() or type(error).__name__
    return DescribedError(f"database: {says}; {do}", UNREACHABLE)
