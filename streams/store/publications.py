"""Versions of the policy and of the directory in force, and moves of cases to a version.

What is in force is what was published here, by whom and why; the rows are written once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

import asyncpg

from streams.domain.policy.versions import Move
from streams.store.pool import Connection
from streams.store.publication_errors import NotAhead

POLICY: Final = "policy"
DIRECTORY: Final = "directory"
_MOVE: Final = "move"
_WITHDRAWAL: Final = "withdrawal"
_COUNTS: Final = """
    NOT EXISTS (
        SELECT FROM publication AS later
        WHERE later.kind = 'withdrawal' AND later.digest = publication.digest
            AND later.number > publication.number
            AND later.published_at <= coalesce($2::timestamptz, 'infinity'))
"""
"""Whether a row has not been withdrawn; up to an instant, if one is given."""


class Published(NamedTuple):
    """One version that counts, with its text."""

    kind: str
    digest: str
    body: str


class Publication(NamedTuple):
    """One row of the history of what was published, or of a move."""

    number: int
    kind: str
    version: str
    digest: str
    valid_from: date | None
    cases: int
    """How many cases were moved; 0 unless it is a move."""
    reason: str
    who: str
    login: str
    published_at: datetime


async def count(conn: Connection) -> int:
    """Return how many rows are visible; it changes with everything that is published or moved."""
    found: int = await conn.fetchval("SELECT count(*) FROM publication")
    return found


async def in_force(conn: Connection, at: datetime | None = None) -> tuple[list[Published], bool]:
    """Return all versions that count, also those that lie ahead, and whether a case was moved.

    With ``at``, those that counted at that instant: a version that was withdrawn later is one.
    """
    rows = await conn.fetch(
        f"""
        SELECT DISTINCT ON (publication.kind, valid_from) publication.kind, digest, body
        FROM publication JOIN reference_table USING (digest)
        WHERE publication.kind = any($1::text[]) AND {_COUNTS}
        ORDER BY publication.kind, valid_from, number DESC
        """,  # noqa: S608 - a constant
        [POLICY, DIRECTORY],
        at,
    )
    return [Published(*row) for row in rows], await has_any(conn, _MOVE)


async def used_last(conn: Connection) -> list[Published]:
    """Return the policy and the directory by which a case was decided last; none without a case."""
    rows = await conn.fetch(
        """
        SELECT kind, digest, body
        FROM (SELECT reference_digest AS used FROM case_projection
              WHERE reference_digest IS NOT NULL ORDER BY updated_at DESC LIMIT 1) AS last
        JOIN reference_table ON substr(digest, 1, 32) = CASE kind
            WHEN 'policy' THEN substr(used, 1, 32) WHEN 'directory' THEN substr(used, 33, 32) END
        """
    )
    return [Published(*row) for row in rows]


async def moves_of(
    conn: Connection, case_ids: Collection[str], at: datetime | None = None
) -> Mapping[str, tuple[Move, ...]]:
    """Return the moves of these cases, oldest first, by case; with ``at``, as they counted then."""
    rows = await conn.fetch(
        f"""
        SELECT case_id, digest, published_at
        FROM policy_move JOIN publication USING (number)
        WHERE case_id = any($1::text[]) AND {_COUNTS} ORDER BY number
        """,  # noqa: S608 - a constant
        list(case_ids),
        at,
    )
    found: dict[str, tuple[Move, ...]] = {}
    for case_id, digest, at in rows:
        found[case_id] = (*found.get(case_id, ()), Move(digest, at))
    return found


async def expect_author(conn: Connection) -> None:
    """Check that the role may publish, before anything is looked up.

    Raises:
        asyncpg.InsufficientPrivilegeError: it may not.
    """
    if not await conn.fetchval("SELECT has_any_column_privilege('publication', 'INSERT')"):
        raise asyncpg.InsufficientPrivilegeError("permission denied for table publication")


async def has_any(conn: Connection, kind: str) -> bool:
    """Return whether a version of this kind was published."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM publication WHERE kind = $1)", kind
    )
    return found


async def publish(
    conn: Connection, kind: str, digest: str, valid_from: date, *, reason: str, who: str
) -> int:
    """Publish a version whose text is stored; return its number.

    Raises:
        NotAhead: it would come into force today or before.
    """
    return await _add(conn, kind, digest, valid_from, reason, who)


async def withdraw(conn: Connection, digest: str, *, reason: str, who: str) -> int:
    """Withdraw a version: from now on it decides about no case. Return the withdrawal's number."""
    return await _add(conn, _WITHDRAWAL, digest, None, reason, who)


async def move(
    conn: Connection, case_ids: Sequence[str], digest: str, *, reason: str, who: str
) -> int:
    """Move cases to a published version from now on; return the number of the move."""
    number = await _add(conn, _MOVE, digest, None, reason, who)
    await conn.execute(
        "INSERT INTO policy_move (case_id, number) SELECT case_id, $2 FROM unnest($1::text[])"
        " AS moved (case_id)",
        list(case_ids),
        number,
    )
    return number


async def _add(
    conn: Connection, kind: str, digest: str, valid_from: date | None, reason: str, who: str
) -> int:
    try:
        number: int = await conn.fetchval(
            """
            INSERT INTO publication (kind, digest, valid_from, reason, who)
            VALUES ($1, $2, $3, $4, $5) RETURNING number
            """,
            kind,
            digest,
            valid_from,
            reason,
            who,
        )
    except asyncpg.CheckViolationError as error:
        raise NotAhead(str(error)) from error
    return number


async def history(conn: Connection) -> list[Publication]:
    """Return everything that was published or moved, oldest first."""
    rows = await conn.fetch(
        """
        SELECT number, publication.kind, version, digest, valid_from,
               (SELECT count(*) FROM policy_move WHERE policy_move.number = publication.number),
               reason, who, login, published_at
        FROM publication JOIN reference_table USING (digest) ORDER BY number
        """
    )
    return [Publication(*row) for row in rows]
