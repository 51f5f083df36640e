from __future__ import annotations

import pytest

from streams.reference import Reference
from streams.store import reference_tables
from streams.store.pool import Pool
from tests.work.world import World


@pytest.fixture
async def world(pool: Pool, ref: Reference) -> World:
    async with pool.acquire() as conn:
        await reference_tables.record(conn, ref.policy, ref.directory)
    return World(pool, ref)
