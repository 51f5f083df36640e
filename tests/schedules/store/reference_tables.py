"""Reference data is not recorded: all workers of a run have the same."""

from __future__ import annotations

from schemas.producers import Producers
from streams.domain.tables import Tables
from streams.store.pool import Connection


async def record(
    conn: Connection,
    tables: Tables,
    producers: Producers,
) -> None:
    return
