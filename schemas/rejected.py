"""Why a record is not a valid event.

Errors::

    Rejected(reason, detail)   the record is not a valid event; the detail never quotes the record
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a record became a dead letter."""

    UNDECODABLE = "undecodable"
    OVERSIZED = "oversized"
    ENVELOPE = "envelope"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_VERSION = "unknown_version"
    WRONG_TOPIC = "wrong_topic"
    WRONG_KEY = "wrong_key"
    SCHEMA = "schema"
    AHEAD = "ahead"
    RESERVED = "reserved"
    UNKNOWN_SOURCE = "unknown_source"
    BEYOND_AUTHORITY = "beyond_authority"
    ID_REUSED = "id_reused"
    BUG = "bug"


class Rejected(Exception):
    """The record is not a valid event.

    ``detail`` names fields and error codes, never input values. ``subject`` is the case id that the
    event names, if it is well-formed.
    """

    def __init__(self, reason: Reason, detail: str, subject: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.subject = subject
