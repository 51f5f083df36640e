"""Why an audit could not be made. What an audit finds is never an error.

Errors::

    AuditError
    |-- LogUnreadable         brokers away, a topic missing, or records that do not come
    `-- DatabaseUnreadable    unreachable, refused, or not migrated
"""

from __future__ import annotations


class AuditError(Exception):
    """The audit could not be made, so nothing is proven either way."""


class LogUnreadable(AuditError):
    """Kafka can't be read to the end."""


class DatabaseUnreadable(AuditError):
    """The database can't be read."""
