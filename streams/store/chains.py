"""Chains of hashes: the links of entries and the heads of cases (``schemas/chain.py``).

The unit of work writes both with what it writes anyway. Here are the exceptions: rows of an earlier
version, and projections that were restored; and the heads for the checkpoints.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from schemas.chain import Head, event_entry, extend, heads, message_entry
from streams.store.pool import Connection


async def adopt(conn: Connection, limit: int) -> int:
    """Add the entries without a link to the chains of their cases; return for how many cases.

    They are of a worker of an earlier version. Handles at most ``limit`` cases and locks them. Call
    it until it returns 0, each time in a new transaction.
    """
    rows = await conn.fetch(
        """
        SELECT case_id, links, entries, head FROM case_projection
        WHERE case_id IN (
            SELECT case_id FROM case_event WHERE link IS NULL
            UNION SELECT key FROM outbox WHERE link IS NULL
            ORDER BY case_id LIMIT $1)
        ORDER BY case_id FOR UPDATE
        """,
        limit,
    )
    known = {row["case_id"]: Head(row["links"], row["entries"], row["head"]) for row in rows}
    found: dict[str, list[bytes]] = {}
    for case_id, _, entry in await _entries(conn, list(known), unchained=True):
        found.setdefault(case_id, []).append(entry)
    longer = {case_id: extend(known[case_id], entries) for case_id, entries in found.items()}
    await _save(conn, longer)
    links = [head.links for head in longer.values()]
    await conn.execute("SELECT give_links($1::text[], $2::integer[])", list(longer), links)
    return len(longer)


async def restore(conn: Connection, case_ids: Sequence[str]) -> None:
    """Compute the heads of these cases from all of their entries. Reads the whole outbox."""
    found: dict[str, list[tuple[int, bytes]]] = {case_id: [] for case_id in case_ids}
    for case_id, link, entry in await _entries(conn, case_ids, unchained=False):
        found[case_id].append((link, entry))
    await _save(conn, {case_id: heads(entries)[-1] for case_id, entries in found.items()})


async def all_heads(conn: Connection) -> AsyncIterator[tuple[str, Head]]:
    """Yield every case that has a chain, with its head, in case-id order. Needs a transaction."""
    async for row in conn.cursor(
        """
        SELECT case_id, links, entries, head FROM case_projection WHERE links > 0
        ORDER BY case_id COLLATE "C"
        """,
        prefetch=5000,
    ):
        yield row["case_id"], Head(row["links"], row["entries"], row["head"])


async def _save(conn: Connection, found: dict[str, Head]) -> None:
    await conn.execute(
        """
        UPDATE case_projection SET links = new.links, entries = new.entries, head = new.head
        FROM unnest($1::text[], $2::integer[], $3::integer[], $4::bytea[])
            AS new (case_id, links, entries, head)
        WHERE case_projection.case_id = new.case_id
        """,
        list(found),
        [head.links for head in found.values()],
        [head.entries for head in found.values()],
        [head.hash for head in found.values()],
    )


async def _entries(
    conn: Connection, case_ids: Sequence[str], *, unchained: bool
) -> list[tuple[str, int, bytes]]:
    """Return case, link and hash of entries in chain order: those with a link, or those without."""
    events = await conn.fetch(
        """
        SELECT case_id, coalesce(link, 0) AS link, event_id, digest, source, topic, "partition",
               "offset"
        FROM case_event WHERE case_id = any($1::text[]) AND (link IS NULL) = $2
        ORDER BY event_id, source
        """,
        case_ids,
        unchained,
    )
    messages = await conn.fetch(
        """
        SELECT key, coalesce(link, 0) AS link, message_id::text, topic, headers::text, body::text
        FROM outbox WHERE key = any($1::text[]) AND (link IS NULL) = $2
        ORDER BY position
        """,
        case_ids,
        unchained,
    )
    found = [(row["case_id"], row["link"], event_entry(*tuple(row)[2:])) for row in events]
    found += [
        (key, link, message_entry(message_id, topic, key, headers, body.encode()))
        for key, link, message_id, topic, headers, body in messages
    ]
    return sorted(found, key=lambda one: one[:2])  # stable: the order inside a link stays
