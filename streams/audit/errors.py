"""Errors that stop an audit. A violation that an audit finds is a finding, not an error.

Errors::

    AuditError
    |-- LogUnreadable         brokers unreachable, a topic missing, or a read timed out
    `-- DatabaseUnreadable    unreachable, access refused, or not migrated
"""

from __future__ import annotations


class AuditError(Exception):
    """The audit could not be completed, so it has no result."""


class LogUnreadable(AuditError):
    """Kafka can't be read completely."""


class DatabaseUnreadable(AuditError):
    """The database can't be read."""
