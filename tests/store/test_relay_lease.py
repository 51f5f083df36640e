"""One relay at a time: a lease with a fencing number, on a real server."""

from __future__ import annotations

import psycopg
import pytest

from streams.runtime.settings import DatabaseSettings
from streams.store import outbox, relay_lease
from streams.store.pool import Pool, open_pool
from streams.store.relay_lease import RelayLostError
from tests.domain import given
from tests.world import World

OLD_LOCK = 0x1CA4_0B0C


async def test_a_second_relay_waits_and_sees_who_holds_it(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        first = await relay_lease.take(one, "worker-1")
        second = await relay_lease.take(two, "worker-2")

    assert first.fence == 1
    assert (second.holder, second.since, second.fence) == ("worker-1", first.since, None)


async def test_a_relay_that_is_silent_loses_it_and_can_mark_nothing(world: World) -> None:
    await world.arrive(given.order(), given.miss(1))
    async with world.pool.acquire() as frozen, world.pool.acquire() as next_one:
        before = await relay_lease.take(frozen, "worker-1")
        wave = [item.position for item in await outbox.pending(frozen, 100)]
        assert before.fence is not None
        await world.rows("UPDATE relay_lease SET expires_at = expires_at - interval '1 hour'")
        after = await relay_lease.take(next_one, "worker-2")

        assert after.fence == before.fence + 1
        with pytest.raises(RelayLostError):
            await outbox.mark_published(frozen, wave, before.fence)
        with pytest.raises(RelayLostError):
            await relay_lease.renew(frozen, before.fence)
        await relay_lease.release(frozen, before.fence)
        assert (await relay_lease.take(frozen, "worker-1")).fence is None, "not given back"
        assert len(await outbox.pending(next_one, 100)) == len(wave), "nothing was marked"

        await outbox.mark_published(next_one, wave, after.fence)
        assert await outbox.pending(next_one, 100) == []


async def test_a_relay_whose_session_ended_or_that_gave_it_back_is_followed_at_once(
    pool: Pool, database_url: str
) -> None:
    killed = await open_pool(DatabaseSettings(url=database_url), "test")
    async with pool.acquire() as conn:
        async with killed.acquire() as gone:
            await relay_lease.take(gone, "worker-1")
        await killed.close()

        second = await relay_lease.take(conn, "worker-2")
        assert second.fence == 2
        await relay_lease.release(conn, second.fence)
        async with pool.acquire() as other:
            assert (await relay_lease.take(other, "worker-3")).fence == 3


async def test_a_relay_of_the_version_before_and_one_of_this_never_publish_at_once(
    pool: Pool, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as old:
        old.execute("SELECT pg_advisory_lock(%s)", [OLD_LOCK])
        async with pool.acquire() as conn:
            held = await relay_lease.take(conn, "worker-1")
            assert (held.fence, held.holder) == (None, "a worker of the version before")

            old.execute("SELECT pg_advisory_unlock(%s)", [OLD_LOCK])
            assert (await relay_lease.take(conn, "worker-1")).fence == 1
            tried = old.execute("SELECT pg_try_advisory_lock(%s)", [OLD_LOCK]).fetchone()
            assert tried == (False,)


async def test_no_other_role_can_hold_announcements_back(pool: Pool, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("CREATE ROLE reader LOGIN")
    try:
        url = database_url.replace("//postgres@", "//reader@")
        with psycopg.connect(url, autocommit=True) as reader:
            reader.execute("SELECT pg_advisory_lock(%s)", [OLD_LOCK])
            async with pool.acquire() as conn_:
                assert (await relay_lease.take(conn_, "worker-1")).fence == 1
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute("UPDATE relay_lease SET fence = fence + 1")
    finally:
        with psycopg.connect(database_url, autocommit=True) as conn:
            conn.execute("DROP ROLE reader")
