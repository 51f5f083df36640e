"""What can go wrong with a server of our own.

Errors::

    EmbeddedError
    |-- ToolMissing          a program that is needed is not there
    `-- ServerDidNotStart    it was started and did not answer
"""

from __future__ import annotations


class EmbeddedError(Exception):
    """An embedded server can't be used."""


class ToolMissing(EmbeddedError):
    """A program that is needed is not there; the message says which and how to get it."""


class ServerDidNotStart(EmbeddedError):
    """It did not answer in time; the message names its log."""
