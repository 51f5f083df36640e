"""The tables in force, for commands that read once."""

from __future__ import annotations

from datetime import datetime

from streams import reference
from streams.casework.in_force import in_force_source
from streams.reference import Reference
from streams.runtime.settings import Settings
from streams.store.pool import Connection


async def tables_in_force(
    settings: Settings, conn: Connection, at: datetime | None = None
) -> Reference:
    """Return the tables that were published, or else those of the settings.

    With ``at``, those that counted at that instant.

    Raises:
        NotPublished: the settings name a table that is not published.
        VersionUnreadable: a published version was written for other software.
    """
    given = reference.load(*settings.reference_files)
    source = in_force_source(given, settings)
    return await source.current(conn) if at is None else await source.as_of(conn, at)
