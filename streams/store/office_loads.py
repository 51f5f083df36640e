"""How many open cases each team follows, for routing. Canary cases are excluded."""

from __future__ import annotations

from streams.store.pool import Connection
from streams.store.statistics import CANARY_PATTERN


async def read(conn: Connection) -> dict[tuple[str, str], int]:
    """Return the number of open cases with a route, by office and track.

    Reads the whole table of cases: call it every minute, not for every event.
    """
    async with conn.transaction():
        await conn.execute("SET LOCAL enable_seqscan = on")
        rows = await conn.fetch(
            """
            SELECT office_id, track, count(*) FROM case_projection
            WHERE route IS NOT NULL AND ended_at IS NULL AND case_id NOT LIKE $1
            GROUP BY 1, 2
            """,
            CANARY_PATTERN,
        )
    return {(row[0], row[1]): row[2] for row in rows}
