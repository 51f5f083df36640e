"""Every policy, directory, calendar and table of producers ever used, stored by digest."""

from __future__ import annotations

from typing import Final

from schemas.producers import Producers
from streams.domain.tables import Tables
from streams.store.pool import Connection


async def are_newest(
    conn: Connection, tables: Tables, producers: Producers, *, published: bool
) -> bool:
    """Return whether no other table of one of these kinds was first used after these.

    Of a policy or directory that was ``published`` it does not matter when others were first used.
    """
    kinds = ["calendar", "producers"] if published else ["calendar", "producers", *_PUBLISHED]
    found: bool = await conn.fetchval(
        """
        SELECT NOT EXISTS (
            SELECT FROM reference_table AS later
            WHERE kind = any($2::text[]) AND digest <> all($1::text[]) AND first_used > (
                SELECT max(first_used) FROM reference_table AS mine
                WHERE mine.kind = later.kind AND mine.digest = any($1::text[])))
        """,
        [row[0] for row in _rows(tables, producers)],
        kinds,
    )
    return found


async def record(conn: Connection, tables: Tables, producers: Producers) -> None:
    """Store the texts of all versions of these tables. May be repeated.

    Call it before any case is decided with them.
    """
    await conn.executemany(
        """
        INSERT INTO reference_table (digest, kind, version, body) VALUES ($1, $2, $3, $4)
        ON CONFLICT (digest) DO NOTHING
        """,
        _rows(tables, producers),
    )


async def record_one(conn: Connection, digest: str, kind: str, version: str, body: str) -> None:
    """Store the text of one table. May be repeated."""
    await conn.execute(
        """
        INSERT INTO reference_table (digest, kind, version, body) VALUES ($1, $2, $3, $4)
        ON CONFLICT (digest) DO NOTHING
        """,
        digest,
        kind,
        version,
        body,
    )


_PUBLISHED: Final = ("policy", "directory")


def _rows(tables: Tables, producers: Producers) -> list[tuple[str, str, str, str]]:
    calendar = tables.calendar
    return [
        *((one.digest, "policy", one.version, one.body) for one in tables.policies.versions),
        *((one.digest, "directory", one.version, one.body) for one in tables.directories.versions),
        (calendar.digest, "calendar", calendar.version, calendar.body),
        (producers.digest, "producers", producers.version, producers.body),
    ]
