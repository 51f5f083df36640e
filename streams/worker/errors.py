"""Why a worker can't start.

Errors::

    WorkerError
    `-- DataDirectoryError     the data directory can't be made
"""

from __future__ import annotations


class WorkerError(Exception):
    """The worker can't start; the message says what to change."""


class DataDirectoryError(WorkerError):
    """The data directory can't be made: name another one with ``ICAM_DATA_DIRECTORY``."""
