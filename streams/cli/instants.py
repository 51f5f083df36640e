"""Read the instants that people type."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click

from streams import reference


def instant(value: str, param: click.Parameter) -> datetime:
    """Return an instant in UTC; a day means its start, a time without an offset is in Brussels.

    Raises:
        click.BadParameter: the text is neither a day nor a time.
    """
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            "give a day or a time, such as 2026-03-05 or 2026-03-05T14:30", param=param
        ) from None
    zone = ZoneInfo(reference.ZONE)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
