"""Whatever a unit of work has to write, the server understands the statement."""

from __future__ import annotations

from itertools import product

import pytest

from streams.store import unit_of_work
from streams.store.outbox import NOTHING_WRITTEN
from streams.store.pool import Pool
from streams.store.unit_of_work import Change, _Parts, _statement
from tests.domain import given

COMBINATIONS = [_Parts(*parts) for parts in product((True, False), repeat=5) if any(parts)]


@pytest.mark.parametrize("parts", COMBINATIONS, ids=lambda parts: "".join("01"[p] for p in parts))
async def test_each_combination_of_tables_is_a_statement(pool: Pool, parts: _Parts) -> None:
    async with pool.acquire() as conn:
        await conn.prepare(_statement(parts))


async def test_nothing_to_write_sends_nothing(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await conn.execute("BEGIN")
        with pytest.raises(Exception, match="syntax"):
            await conn.execute("no statement can follow this one")
        assert await unit_of_work.write(conn, Change(given.LATER)) == NOTHING_WRITTEN
        await conn.execute("ROLLBACK")
