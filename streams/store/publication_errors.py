"""Why what is in force can't be used or changed.

Errors::

    PublicationError
    |-- NotPublished         a process was given a table that is not among those published
    |-- VersionUnreadable    this version of the software can't read what was published
    |-- VersionUnknown       no version in force has this name
    `-- NotAhead             a version must come into force after today
"""

from __future__ import annotations


class PublicationError(Exception):
    """What is in force can't be used or changed; the message says what to do."""


class NotPublished(PublicationError):
    """A process was given a table that is not among those published."""


class VersionUnreadable(PublicationError):
    """This version of the software can't read what was published."""


class VersionUnknown(PublicationError):
    """No version in force has this name; nothing was moved."""


class NotAhead(PublicationError):
    """A version must come into force after today; nothing was published."""
