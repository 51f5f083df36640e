"""What is in force is read from the database, and workers agree on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, timedelta

import asyncpg
import pytest

from streams.casework import versions
from streams.casework.in_force import InForce
from streams.casework.rebuild import rebuild
from streams.domain.directory.load import DirectoryError
from streams.domain.policy.load import PolicyError
from streams.domain.policy.rules import Policy
from streams.reference import Reference
from streams.runtime.settings import DatabaseSettings, Settings
from streams.store import publications, reference_tables
from streams.store.errors import advice, is_transient
from streams.store.pool import Connection, Pool, open_pool
from streams.store.publication_errors import (
    NotAhead,
    NotPublished,
    VersionUnknown,
    VersionUnreadable,
)
from tests.domain import given
from tests.domain.policy.test_versions import MAY, silent, version
from tests.producers import FILE
from tests.stopped_clock import stop_clock
from tests.world import World

pytestmark = pytest.mark.server

_REASON, _WHO = "circular of 3 November", "J. Peeters"
AHEAD = date(2100, 1, 1)
Workers = Callable[[], World]


@pytest.fixture
def workers(pool: Pool, ref: Reference) -> Workers:
    """Return a function that starts one more worker, whose time is 4 May 2026."""
    return lambda: World(pool, ref, source=InForce(ref))


async def publish(pool: Pool, ref: Reference, *policies: Policy, dry_run: bool = False) -> None:
    async with pool.acquire() as conn:
        for policy in policies:
            await versions.publish_policy(
                conn, InForce(ref), policy.body, dry_run=dry_run, reason=_REASON, who=_WHO
            )


async def in_use(world: World) -> list[tuple[str, str]]:
    """Return the case and the policy version by which it was decided last."""
    return await world.rows(
        """
        SELECT case_id, version FROM case_projection JOIN reference_table
          ON substr(reference_table.digest, 1, 32) = substr(reference_digest, 1, 32)
        WHERE kind = 'policy' ORDER BY case_id
        """
    )


async def test_a_running_worker_reads_what_was_published_before_it_decides(
    pool: Pool, ref: Reference, workers: Workers
) -> None:
    running = workers()
    await running.arrive(given.order(), case_id="case-0001")
    both = version("2026.2", MAY), version("2100.1", AHEAD)

    await publish(pool, ref, both[1])
    await running.arrive(given.order(order_id="order-2"), case_id="case-0002")
    started_later = workers()
    await started_later.arrive(given.order(order_id="order-3"), case_id="case-0003")

    digests = await running.rows(
        "SELECT substr(reference_digest, 129) FROM case_projection ORDER BY case_id"
    )
    assert digests[0] != digests[1]
    assert digests[1] == digests[2]


async def test_two_workers_do_not_fight_over_what_was_published(
    pool: Pool, ref: Reference, workers: Workers
) -> None:
    """Each marks the cases for another look once; then nothing is left behind."""
    first, second = workers(), workers()
    await first.arrive(given.order(), given.miss(1))
    await publish(pool, ref, version("2100.1", AHEAD))

    assert await second.deadlines.mark_stale() == 1
    await first.deadlines.sweep(10)

    assert await first.deadlines.mark_stale() == await second.deadlines.mark_stale() == 0
    before = len(await first.announced())
    await second.deadlines.sweep(10)
    assert len(await first.announced()) == before


async def test_a_worker_marks_the_cases_as_soon_as_something_was_published(
    pool: Pool, ref: Reference, workers: Workers
) -> None:
    worker = workers()
    await worker.arrive(given.order(), given.miss(1))
    await worker.deadlines._mark_at_publication()
    await publish(pool, ref, version("2100.1", AHEAD))

    await worker.deadlines._mark_at_publication()

    due = await worker.rows("SELECT next_check_at <= $1 FROM case_projection", worker.now)
    assert due == [(True,)]


async def test_a_worker_with_a_table_that_is_not_published_decides_nothing(
    pool: Pool, ref: Reference
) -> None:
    await publish(pool, ref, version("2100.1", AHEAD))
    own = version("own", MAY)
    source = InForce(Reference(own, ref.directory, ref.calendar, ref.producers), [own.digest])

    async with pool.acquire() as conn:
        with pytest.raises(NotPublished, match="icam policy publish") as refused:
            await source.current(conn)

    assert is_transient(refused.value), "it waits, it does not reject records"
    assert "icam policy publish" in advice(refused.value)


async def test_a_worker_that_can_not_read_a_version_waits_and_rejects_nothing(
    pool: Pool, ref: Reference, workers: Workers
) -> None:
    worker = workers()
    async with pool.acquire() as conn:
        await reference_tables.record_one(
            conn, "f" * 64, "policy", "2200.1", ref.policy.body + "\n[of_a_later_software]\n"
        )
        await publications.publish(
            conn, "policy", "f" * 64, date(2026, 1, 1), reason=_REASON, who=_WHO
        )

    handling = asyncio.create_task(worker.arrive(given.order()))
    await asyncio.sleep(0.3)

    assert not handling.done()
    assert await worker.rows("SELECT FROM dead_letter") == []
    assert worker.state.waits_for_database
    handling.cancel()
    async with pool.acquire() as conn:
        with pytest.raises(VersionUnreadable, match="of_a_later_software"):
            await InForce(ref).current(conn)


async def test_the_first_publication_keeps_what_was_in_force(pool: Pool, ref: Reference) -> None:
    await publish(pool, ref, version("2100.1", AHEAD))

    async with pool.acquire() as conn:
        current = await InForce(ref).current(conn)
        history = await publications.history(conn)

    assert [one.version for one in current.tables.policies.versions] == ["2026.2", "2100.1"]
    assert [(one.version, one.reason, one.who) for one in history] == [
        ("2026.2", "in force until now", "J. Peeters"),
        ("2100.1", "circular of 3 November", "J. Peeters"),
    ]


async def test_a_version_that_lies_ahead_is_replaced(pool: Pool, ref: Reference) -> None:
    await publish(pool, ref, version("2100.1", AHEAD), version("2100.1", AHEAD, silent(5)))
    await publish(pool, ref, version("2100.1", AHEAD, silent(5)))

    async with pool.acquire() as conn:
        current = await InForce(ref).current(conn)
        assert await publications.count(conn) == 3, "the same again is not published again"

    (_, ahead) = current.tables.policies.versions
    silence = ahead.rule("silence")
    assert silence is not None
    assert silence.after[0].working_days == 5


async def test_no_version_comes_into_force_today_or_before(
    pool: Pool, ref: Reference, workers: Workers
) -> None:
    await publish(pool, ref, version("2100.1", AHEAD))
    await workers().arrive(given.order())

    with pytest.raises(NotAhead, match="tomorrow at the earliest"):
        await publish(pool, ref, version("2026.3", MAY))
    async with pool.acquire() as conn:
        await publish_directory(conn, ref, "2100.1", AHEAD)
        with pytest.raises(NotAhead):
            await publish_directory(conn, ref, "2026.4", MAY)


async def publish_directory(conn: Connection, ref: Reference, name: str, first_day: date) -> None:
    await versions.publish_directory(
        conn, InForce(ref), _directory(name, first_day), reason=_REASON, who=_WHO, dry_run=False
    )


def _directory(name: str, first_day: date) -> str:
    text = given.ref().directory.body
    old = f'version = "{given.ref().directory.version}"'
    assert text.count(old) == 1
    return text.replace(old, f'version = "{name}"\nvalid_from = {first_day}')


async def test_versions_are_linted_together(pool: Pool, ref: Reference) -> None:
    await publish(pool, ref, version("2100.1", AHEAD))

    with pytest.raises(PolicyError, match=r"version 2100\.1 is there twice"):
        await publish(pool, ref, version("2100.1", AHEAD + timedelta(days=1)))
    late = version("2099.1", AHEAD - timedelta(days=2), open_from=AHEAD + timedelta(days=3))
    with pytest.raises(PolicyError, match="is not before"):
        await publish(pool, ref, late)


async def test_a_version_that_was_withdrawn_decides_about_no_case(
    database_url: str, ref: Reference
) -> None:
    stop_clock(database_url, given.LATER)
    pool = await open_pool(DatabaseSettings(url=database_url), "test")
    try:
        mistaken = version("2026.3", MAY, silent(0))
        await publish(pool, ref, mistaken)
        worker = World(pool, ref, source=InForce(ref))
        notified = given.LATER - timedelta(hours=1)
        await worker.arrive(given.order(notified_at=notified), given.interview(1, held_at=notified))
        assert await in_use(worker) == [(given.CASE_ID, "2026.3")]
        assert "silence" in await worker.standing()

        async with pool.acquire() as conn:
            left = await versions.withdraw_policy(
                conn, InForce(ref), "2026.3", reason=_REASON, who=_WHO
            )
            with pytest.raises(VersionUnknown, match="no version would be in force"):
                await versions.withdraw_policy(
                    conn, InForce(ref), "2026.2", reason=_REASON, who=_WHO
                )
            then = await InForce(ref).as_of(conn, given.LATER - timedelta(seconds=1))
        worker.now += timedelta(seconds=1)
        await worker.deadlines.mark_stale()
        await worker.deadlines.sweep(10)

        assert [one.version for one in then.tables.policies.versions] == ["2026.2", "2026.3"]
        assert left.version == "2026.2"
        assert await in_use(worker) == [(given.CASE_ID, "2026.2")]
        assert ("withdrawn", "silence", "policy_changed") in await worker.announced()
    finally:
        pool.terminate()


async def test_a_dry_run_publishes_nothing(pool: Pool, ref: Reference) -> None:
    await publish(pool, ref, version("2100.1", AHEAD), dry_run=True)

    async with pool.acquire() as conn:
        assert await publications.count(conn) == 0


async def test_a_directory_comes_into_force_on_its_first_day(pool: Pool, ref: Reference) -> None:
    async with pool.acquire() as conn:
        await publish_directory(conn, ref, "2100.1", AHEAD)
        current = await InForce(ref).current(conn)
        with pytest.raises(DirectoryError, match="is there already"):
            await publish_directory(conn, ref, "2100.1", AHEAD + timedelta(days=1))

    directories = current.tables.directories
    assert directories.on(AHEAD - timedelta(days=1)).version == ref.directory.version
    assert directories.on(AHEAD).version == "2100.1"


async def test_what_was_published_is_not_changed(pool: Pool, ref: Reference) -> None:
    await publish(pool, ref, version("2100.1", AHEAD))
    async with pool.acquire() as conn:
        await conn.execute("CREATE ROLE changer")
        await conn.execute("GRANT ALL ON publication, policy_move TO changer")
        try:
            await conn.execute("SET ROLE changer")
            for change in ("UPDATE publication SET who = 'x'", "DELETE FROM publication"):
                with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                    await conn.execute(change)
            await conn.execute("RESET ROLE")
        finally:
            await conn.execute("DROP OWNED BY changer")
            await conn.execute("DROP ROLE changer")


async def test_open_cases_are_moved_to_a_version_and_decided_again(
    database_url: str, ref: Reference
) -> None:
    stop_clock(database_url, given.LATER)
    pool = await open_pool(DatabaseSettings(url=database_url), "test")
    try:
        await publish(pool, ref, version("2026.3", MAY, silent(5)))
        worker = World(pool, ref, source=InForce(ref))
        await worker.arrive(given.order(), given.miss(1), case_id="case-0001")
        notified = given.LATER - timedelta(days=1)
        await worker.arrive(
            given.order(order_id="order-2", notified_at=notified), case_id="case-0002"
        )
        await worker.arrive(given.order(order_id="order-3"), case_id="case-0003")
        await worker.arrive(given.ended(given.day(20)), case_id="case-0003")
        assert await in_use(worker) == [
            ("case-0001", "2026.2"), ("case-0002", "2026.3"), ("case-0003", "2026.2"),
        ]  # fmt: skip
        announced = await worker.announced()

        async with pool.acquire() as conn:
            tried = await versions.move_open_cases(
                conn, InForce(ref), "2026.3", apply=False, reason=_REASON, who=_WHO
            )
            with pytest.raises(VersionUnknown, match=r"take one of 2026\.2, 2026\.3"):
                await versions.move_open_cases(
                    conn, InForce(ref), "x", apply=True, reason=_REASON, who=_WHO
                )
            assert await publications.count(conn) == 2
            moved = await versions.move_open_cases(
                conn, InForce(ref), "2026.3", apply=True, reason=_REASON, who=_WHO
            )
            again = await versions.move_open_cases(
                conn, InForce(ref), "2026.3", apply=False, reason=_REASON, who=_WHO
            )
        assert tried.cases == moved.cases == ["case-0001"]
        assert dict(tried.by_version) == {"2026.2": 1}
        assert tried.raised.total() == tried.withdrawn.total() == 0
        assert again.cases == ["case-0001"], "no worker has looked yet"
        worker.now += timedelta(seconds=1)
        await worker.deadlines.mark_stale()
        await worker.deadlines.sweep(10)

        assert dict(await in_use(worker))["case-0001"] == "2026.3"
        assert await worker.announced() == announced, "nothing is announced by the move alone"
        ((who, why),) = await worker.rows("SELECT who, reason FROM publication WHERE kind = 'move'")
        assert (who, why) == ("J. Peeters", "circular of 3 November")
        settings = Settings(
            database=DatabaseSettings.model_validate({"url": database_url}), producers_file=FILE
        )
        found = await asyncio.to_thread(rebuild, settings, mend=False, processes=1)
        assert (found.cases, found.differing, found.older) == (3, 0, 0)
    finally:
        pool.terminate()
