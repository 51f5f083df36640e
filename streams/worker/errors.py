"""Why a worker can't start, and any failure of a worker in one line.

Errors::

    WorkerError
    |-- DataDirectoryError     the data directory can't be made
    |-- PortTakenError         another process listens on the internal port
    `-- TablesTooNewError      the tables lack what this version needs: install a newer one
"""

from __future__ import annotations

from schemas.producers import ProducersError
from streams.domain.directory.load import DirectoryError
from streams.domain.policy.load import PolicyError
from streams.runtime.logs import place
from streams.store import tls
from streams.store.address import AddressError
from streams.store.errors import is_not_migrated


class WorkerError(Exception):
    """The worker can't start; the message says what to change."""


class DataDirectoryError(WorkerError):
    """The data directory can't be made: name another one with ``ICAM_DATA_DIRECTORY``."""


class PortTakenError(WorkerError):
    """Another process listens on the internal port: stop it, or set ``ICAM_HTTP__PORT``."""


class TablesTooNewError(WorkerError):
    """A newer version took away what this one may need: install the newer version."""


def describe(error: BaseException) -> str:
    """Return what failed and what to do, in one line.

    Only our own errors are quoted. The text of any other may quote a record, so it is named by type
    and place.
    """
    if isinstance(error, (WorkerError, PolicyError, DirectoryError, ProducersError, AddressError)):
        return str(error)
    if is_not_migrated(error):
        return "the database has no tables yet, or old ones: run icam migrate"
    if (refused := tls.explain(error)) is not None:
        return f"database: {refused}; check ICAM_DATABASE__URL"
    return (
        f"{type(error).__name__} at {place(error)}: start the worker again; if it fails again, "
        "return to the previous version"
    )
