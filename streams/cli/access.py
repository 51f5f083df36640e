"""``icam access``"""

from __future__ import annotations

from collections.abc import Collection

import click

from streams.cli.output import as_json, console, emit, table
from streams.cli.reading import by_reader, read_recorded
from streams.runtime.settings import Settings
from streams.store import access as readings
from streams.store import cases
from streams.store.access import Access, Reader
from streams.store.pool import Connection


@click.command()
@click.argument("case_id")
@by_reader
@as_json
def access(case_id: str, reader: str | None, why: str | None, json_: bool) -> None:
    """Print who read about a case, what and why, oldest first: for the person who asks.

    Login and time are those of the database server. The reader is the login or, for a login that
    several people share, who it said to be. Only icam_auditor and the owner of the tables may read
    this, and this reading is recorded too.

    \b
    Examples:
      icam access case-1f3a
      icam access case-1f3a --as "J. Peeters" --reason "request of the person, ref 4711" --json
    """

    async def read(conn: Connection) -> tuple[list[Access], Collection[str]]:
        return await readings.find(conn, case_id), await cases.known(conn, [case_id])

    rows = read_recorded(Settings(), Reader(reader, why), "access", read)
    if json_:
        emit([row._asdict() for row in rows])
        return
    console().print(
        table(
            f"Readings of {case_id} ({len(rows)})",
            ("when", "reader", "login", "what", "why"),
            [(row.read_at.isoformat(timespec="seconds"), *row[1:]) for row in rows],
        )
    )
