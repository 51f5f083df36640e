"""Readings about cases: who read what and why, recorded in the transaction that reads.

Errors::

    AccessError
    |-- ReaderUnknown    a login that several people share gave no name or no reason
    `-- NotRecorded      the server takes no writes
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import NamedTuple, TypeVar

import asyncpg

from streams.store.pool import Connection

T = TypeVar("T")


class AccessError(Exception):
    """Nothing was read, because the reading can't be recorded."""


class ReaderUnknown(AccessError):
    """A login that several people share says neither who reads nor why."""


class NotRecorded(AccessError):
    """The server is a standby and takes no writes."""


class Reader(NamedTuple):
    """Who reads, and why, as given. A personal login needs neither: the server knows its name."""

    name: str | None = None
    reason: str | None = None


class Access(NamedTuple):
    """One recorded reading of a case."""

    read_at: datetime
    """By the clock of the server."""
    reader: str
    """The login of a person, or the name that was given for a shared login."""
    login: str
    """The login of the session, as the server knows it."""
    what: str
    reason: str | None


async def recorded(
    conn: Connection,
    reader: Reader,
    what: str,
    read: Callable[[Connection], Awaitable[tuple[T, Collection[str]]]],
) -> T:
    """Read, record the reading, and return what was read. One transaction.

    ``read`` returns what it read, and the cases that it is about.

    Raises:
        ReaderUnknown: a shared login gave no name or no reason; nothing was read.
        NotRecorded: the server takes no writes; nothing was read.
        asyncpg.PostgresError: such as a missing privilege; nothing is returned.
    """
    async with conn.transaction():
        try:
            # A reading role is read-only by default. This has to precede the first query.
            await conn.execute("SET TRANSACTION READ WRITE")
        except asyncpg.FeatureNotSupportedError:
            raise NotRecorded(
                "a standby can't record who reads: name the primary in ICAM_DATABASE__URL"
            ) from None
        await expect_known(conn, reader)
        found, case_ids = await read(conn)
        await conn.execute(
            "INSERT INTO case_access (what, case_ids, reader, reason) VALUES ($1, $2, $3, $4)",
            what,
            sorted(set(case_ids)),
            reader.name,
            reader.reason,
        )
    return found


async def find(conn: Connection, case_id: str) -> list[Access]:
    """Return all recorded readings of a case, oldest first."""
    rows = await conn.fetch(
        """
        SELECT read_at, reader, login, what, reason FROM case_access
        WHERE case_ids @> ARRAY[$1::text] ORDER BY access_id
        """,
        case_id,
    )
    return [Access(*row) for row in rows]


async def expect_known(conn: Connection, reader: Reader) -> None:
    """Check that a shared login says who reads and why, before a reading that takes long.

    Raises:
        ReaderUnknown: it gave no name or no reason.
    """
    if reader.name and reader.reason:
        return
    # As the trigger of case_access decides it.
    login: str | None = await conn.fetchval(
        "SELECT session_user::text WHERE session_user ~ '^icam_'"
    )
    if login is not None:
        raise ReaderUnknown(
            f"{login} is a login that several people share: say who reads and why, with --as NAME "
            "--reason TEXT (dead-letters list: --why TEXT)"
        )
