"""Requests of people to replay or discard a dead letter, and the answers of the workers.

A person's role may only add requests and approvals; a worker does the work with its own role. Who
asked or approved is the login of the session, as PostgreSQL knows it. A discard that a worker has
made wait is done once another login has approved it.

Errors::

    ApprovalError
    |-- NotWaiting    the request does not wait for a second person
    `-- SameLogin     the login that asked can't approve too
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import asyncpg

from streams.store.pool import Connection

Action = Literal["replay", "discard"]


class ApprovalError(Exception):
    """Nothing was approved."""


class NotWaiting(ApprovalError):
    """The request does not wait for a second person; see ``icam dead-letters list``."""


class SameLogin(ApprovalError):
    """The login that asked can't approve too."""


class Request(NamedTuple):
    """One request that is not answered yet."""

    request_id: int
    dead_letter_id: int
    action: Action
    note: str
    who: str
    """The person, as given, and in brackets the login of the session if that is another name."""
    approved: str | None = None
    """The second person, likewise; None without an approval."""
    waiting_attempts: int | None = None
    """How often the letter had been tried when the request began to wait; None if it never did."""


class Answer(NamedTuple):
    """What a worker did about a request: one word, and why."""

    result: str
    why: str


async def ask(
    conn: Connection, action: Action, dead_letter_ids: Sequence[int], note: str, who: str
) -> list[int]:
    """Add a request for each dead letter, in this order; return the ids of the requests."""
    rows = await conn.fetch(
        """
        INSERT INTO dead_letter_request (dead_letter_id, action, note, who)
        SELECT dead_letter_id, $2, $3, $4
        FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (dead_letter_id, nth) ORDER BY nth
        RETURNING request_id
        """,
        dead_letter_ids,
        action,
        note,
        who,
    )
    return [row["request_id"] for row in rows]


async def take(conn: Connection) -> Request | None:
    """Lock and return the oldest open request; None without one. Does not block.

    One that another transaction has locked is skipped: that worker does it. So is one that waits
    for a second person, until that is given or the letter is resolved otherwise.
    """
    row = await conn.fetchrow(
        """
        SELECT asked.request_id, asked.dead_letter_id, asked.action, asked.note,
               asked.who || CASE WHEN asked.who = asked.requested_by THEN ''
                   ELSE format(' (%s)', asked.requested_by) END,
               given.who || CASE WHEN given.who = given.approved_by THEN ''
                   ELSE format(' (%s)', given.approved_by) END,
               asked.waiting_attempts
        FROM dead_letter_request AS asked LEFT JOIN dead_letter_approval AS given USING (request_id)
        WHERE asked.answered_at IS NULL AND (
            asked.waiting_since IS NULL OR given.request_id IS NOT NULL OR EXISTS (
                SELECT FROM dead_letter AS letter
                WHERE letter.dead_letter_id = asked.dead_letter_id
                    AND letter.resolved_at IS NOT NULL
            )
        )
        ORDER BY asked.request_id LIMIT 1 FOR UPDATE OF asked SKIP LOCKED
        """
    )
    return None if row is None else Request(*row)


async def wait(conn: Connection, request_id: int, attempts: int) -> None:
    """Have a request that this transaction has locked wait for a second person.

    ``attempts`` is how often its letter has been tried: an approval is of the letter as it is now.
    """
    await conn.execute(
        """
        UPDATE dead_letter_request SET waiting_since = clock_timestamp(), waiting_attempts = $2
        WHERE request_id = $1
        """,
        request_id,
        attempts,
    )


async def approve(conn: Connection, request_ids: Sequence[int], note: str, who: str) -> list[int]:
    """Approve requests that wait, all or none; return the ids of their letters, in this order.

    Raises:
        NotWaiting, SameLogin: nothing was approved.
    """
    rows = await conn.fetch(
        """
        SELECT request_id, dead_letter_id, requested_by, requested_by = session_user AS own
        FROM discard_waiting WHERE request_id = any($1::bigint[])
        """,
        request_ids,
    )
    found = {row["request_id"]: row for row in rows}
    for request_id in request_ids:
        if request_id not in found:
            raise NotWaiting(
                f"request {request_id} does not wait for a second person: it was done, or its dead "
                "letter was resolved; see icam dead-letters list"
            )
        if found[request_id]["own"]:
            raise SameLogin(
                f"{found[request_id]['requested_by']} made request {request_id}: another login has "
                "to approve it"
            )
    try:
        await conn.execute(
            """
            INSERT INTO dead_letter_approval (request_id, note, who)
            SELECT request_id, $2, $3 FROM unnest($1::bigint[]) AS request_id
            """,
            request_ids,
            note,
            who,
        )
    except (asyncpg.CheckViolationError, asyncpg.UniqueViolationError):  # approved meanwhile
        raise NotWaiting("a request was done meanwhile; see icam dead-letters list") from None
    return [found[request_id]["dead_letter_id"] for request_id in request_ids]


async def waiting(conn: Connection, dead_letter_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the discards of these letters that wait for a second person, oldest first."""
    rows = await conn.fetch(
        """
        SELECT request_id, dead_letter_id, note, who, requested_by, waiting_since
        FROM discard_waiting WHERE dead_letter_id = any($1::bigint[]) ORDER BY request_id
        """,
        dead_letter_ids,
    )
    return [dict(row) for row in rows]


async def await_approval(conn: Connection, request_ids: Sequence[int]) -> set[int]:
    """Return those of these requests that wait for a second person."""
    rows = await conn.fetch(
        "SELECT request_id FROM discard_waiting WHERE request_id = any($1::bigint[])", request_ids
    )
    return {row["request_id"] for row in rows}


async def answer(conn: Connection, request_id: int, given: Answer) -> None:
    """Answer a request that this transaction has locked."""
    await conn.execute(
        """
        UPDATE dead_letter_request SET answered_at = clock_timestamp(), result = $2, why = $3
        WHERE request_id = $1
        """,
        request_id,
        given.result,
        given.why,
    )


async def answers(conn: Connection, request_ids: Sequence[int]) -> dict[int, Answer]:
    """Return the answers that there are to these requests."""
    rows = await conn.fetch(
        """
        SELECT request_id, result, coalesce(why, '') FROM dead_letter_request
        WHERE request_id = any($1::bigint[]) AND answered_at IS NOT NULL
        """,
        request_ids,
    )
    return {row[0]: Answer(*row[1:]) for row in rows}
