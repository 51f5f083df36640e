"""No gaps and no positions: the simulated log deletes nothing, and its group keeps its offsets."""

from __future__ import annotations

from collections.abc import Iterable

from streams.store.gaps import Gap, LogOpened, Reread
from streams.store.pool import Connection


async def put(conn: Connection, gaps: Iterable[Gap]) -> list[tuple[str, int]]:
    assert not list(gaps), "the simulated log has no gaps"
    return []


async def open_log(
    conn: Connection, opened: LogOpened
) -> tuple[list[tuple[str, int]], Reread | None]:
    raise AssertionError("the simulated log has one topic of each name")
