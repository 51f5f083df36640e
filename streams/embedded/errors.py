"""Errors of the embedded servers.

Errors::

    EmbeddedError
    |-- ToolMissing          a required program is not installed
    |-- ServerDidNotStart    it was started and did not become ready
    `-- ServerEnded          it ended while somebody needed it
"""

from __future__ import annotations


class EmbeddedError(Exception):
    """An embedded server can't be used."""


class ToolMissing(EmbeddedError):
    """A required program is not installed; the message names it and how to get it."""


class ServerDidNotStart(EmbeddedError):
    """It did not become ready in time; the message names its log."""


class ServerEnded(EmbeddedError):
    """It ended while somebody needed it; the message names it."""
