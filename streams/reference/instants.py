"""Read the instants that people type.

Errors::

    NotAnInstant       the text is neither a day nor a time
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from streams.reference import ZONE


class NotAnInstant(Exception):
    """The text is neither a day nor a time."""

    def __init__(self) -> None:
        super().__init__("give a day or a time, such as 2026-03-05 or 2026-03-05T14:30")


def read_instant(text: str) -> datetime:
    """Return an instant in UTC; a day means its start, a time without an offset is in Brussels.

    Raises:
        NotAnInstant: the text is neither a day nor a time, or beyond all calendars.
    """
    try:
        found = datetime.fromisoformat(text)
        local = found if found.tzinfo else found.replace(tzinfo=ZoneInfo(ZONE))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotAnInstant from None
