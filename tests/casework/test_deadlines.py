"""Time alone changes what stands, through the same path as events."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from schemas.events import Conclusion
from streams import reference
from streams.casework import projection, unit_of_work
from streams.domain.policy.load import load_policy
from streams.reference import Reference
from streams.runtime.metrics import ExporterMetrics
from streams.services.exporter.readings import backlog
from streams.store import cases, reference_tables
from streams.store.errors import is_transient
from tests.domain import given
from tests.world import World


async def test_a_deadline_fires_when_its_instant_has_come_and_not_before(world: World) -> None:
    world.now = given.day(10)
    refused = given.interview(1, conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED)
    await world.arrive(given.order(), *given.checked(), refused)
    (due,) = (await world.rows("SELECT next_check_at FROM case_projection"))[0]

    world.now = due - timedelta(seconds=1)
    assert await world.deadlines.sweep(100) == 0

    while due is not None and "review-after-refusal" not in await world.standing():
        world.now = due
        assert await world.deadlines.sweep(100) == 1
        (due,) = (await world.rows("SELECT next_check_at FROM case_projection"))[0]
    rows = await world.rows(
        "SELECT due_at, raised_at FROM escalation WHERE rule_id = 'review-after-refusal'"
    )
    assert rows == [(given.TERM_END, given.TERM_END)], "on the instant the term had run out"


async def test_the_next_sweep_comes_when_the_next_case_falls_due(world: World) -> None:
    """Not up to an interval later; cases due shortly after one another share a sweep."""
    assert await world.deadlines._sweep_or_isolate() is None, "no case is waiting"
    world.now = given.day(10)
    await world.arrive(given.order())
    (due,) = (await world.rows("SELECT next_check_at FROM case_projection"))[0]

    world.now = due - timedelta(seconds=3)
    assert await world.deadlines._sweep_or_isolate() == 3.0
    world.now = due - timedelta(milliseconds=1)
    assert await world.deadlines._sweep_or_isolate() == 0.1

    world.now = due
    await world.deadlines._sweep_or_isolate()
    ((later,),) = await world.rows("SELECT next_check_at FROM case_projection")
    assert later > due, "it was decided"


async def test_a_case_that_another_worker_decides_is_left_to_the_interval(world: World) -> None:
    world.now = given.day(10)
    await world.arrive(given.order())
    world.now = given.LATER

    async with world.pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM case_projection FOR UPDATE")
        assert await world.deadlines._sweep_or_isolate() is None


async def test_the_gauge_shows_what_is_due_and_unfired(world: World) -> None:
    metrics = ExporterMetrics()
    world.now = given.day(10)
    await world.arrive(given.order())
    world.now = given.LATER

    await backlog(world.pool, world.clock, world.ref.calendar, metrics)
    assert metrics.due_unfired._value.get() == 1
    assert metrics.due_unfired_oldest._value.get() > 0

    await world.deadlines.sweep(100)
    await backlog(world.pool, world.clock, world.ref.calendar, metrics)
    assert metrics.due_unfired._value.get() == 0


async def test_others_get_their_turn_while_many_due_cases_are_decided(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that arrives while thousands of deadlines fall due does not wait for all of them."""
    world.now = given.day(10)
    for number in range(25):
        order = given.under_id(given.order(), UUID(int=number))
        await world.arrive(order, case_id=f"case-due-{number}")
    world.now = given.LATER
    ran, seen = 0, set()
    original = projection.project

    def project(*arguments: Any) -> Any:
        seen.add(ran)
        return original(*arguments)

    async def other() -> None:
        nonlocal ran
        while True:
            ran += 1
            await asyncio.sleep(0)

    monkeypatch.setattr("streams.casework.unit_of_work.project", project)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(other())
        assert await world.deadlines.sweep(100) == 25
        running.cancel()

    assert len(seen) == 3, "ten cases at a time"


async def test_a_case_on_which_our_code_fails_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.now = given.day(10)
    for number in range(5):
        await world.arrive(given.order(time=given.day(number)), case_id=f"case-due-{number}")
    world.now = given.LATER
    real = unit_of_work.reconsider

    async def broken(*held: Any, touched: Any, **more: Any) -> Any:
        if "case-due-0" in touched:
            raise ZeroDivisionError
        return await real(*held, touched=touched, **more)

    monkeypatch.setattr(unit_of_work, "reconsider", broken)
    with pytest.raises(ZeroDivisionError):
        await world.deadlines.sweep(100)
    assert await world.deadlines._one_by_one() == 4

    async with world.pool.acquire() as conn:
        assert (await cases.overdue(conn, world.now))[0] == 1, "it stays due, and shows"
    assert await world.standing("case-due-4") == ["give-first-date"]


async def test_a_new_policy_reconsiders_every_case(world: World) -> None:
    world.now = given.day(10)
    await world.arrive(given.order(), given.miss(1))
    text = (reference.HERE / "policy.toml").read_text()
    stricter = (
        text.replace('version = "2026.2"', 'version = "2026.3"')
        .replace(
            '{ fact = "counted_misses", at_least = 1 }', '{ fact = "counted_misses", at_least = 2 }'
        )
        .replace("nth = 1", "nth = 2")
    )
    changed = Reference(
        load_policy(stricter), world.ref.directory, world.ref.calendar, world.ref.producers
    )
    later = World(world.pool, changed, world.now + timedelta(seconds=1))
    async with world.pool.acquire() as conn:
        assert await cases.mark_stale(conn, world.ref.digest, later.now) == 0
        assert await cases.mark_stale(conn, changed.digest, later.now) == 1
        assert await cases.mark_stale(conn, changed.digest, later.now) == 0, "marked already"

    await later.deadlines.sweep(100)

    assert await later.standing() == []
    assert ("withdrawn", "reinvite-after-first-miss", "policy_changed") in await later.announced()


async def test_a_case_decided_by_a_worker_of_the_version_before_is_decided_again(
    world: World,
) -> None:
    """The worker of the version before goes on deciding after the new one has begun."""
    world.now = given.day(10)
    text = (reference.HERE / "policy.toml").read_text()
    newer = Reference(
        load_policy(text.replace('version = "2026.2"', 'version = "2026.3"')),
        world.ref.directory,
        world.ref.calendar,
        world.ref.producers,
    )
    later = World(world.pool, newer, world.now + timedelta(seconds=1))
    async with world.pool.acquire() as conn:
        await reference_tables.record(conn, world.ref.tables, world.ref.producers)
        await reference_tables.record(conn, newer.tables, newer.producers)
    await world.arrive(given.order(), given.miss(1))

    assert await world.deadlines.mark_stale() == 0, "its own policy is not the newest"
    assert await later.deadlines.mark_stale() == 1
    await later.deadlines.sweep(100)

    assert await later.deadlines.mark_stale() == 0
    ((digest,),) = await world.rows("SELECT reference_digest FROM case_projection")
    assert digest.endswith(newer.digest)


async def test_a_holiday_that_a_release_adds_moves_the_terms_of_cases_known_before(
    world: World,
) -> None:
    world.now = given.day(10)
    await world.arrive(given.order(), given.miss(1))
    (due,) = (row[0] for row in await world.rows("SELECT next_check_at FROM case_projection"))
    calendar = world.ref.calendar
    last = calendar.last_day_before(due)
    assert calendar.is_working(last), "a term in working days"
    days = tuple(day for day in calendar.days if day != last.toordinal())
    changed = replace(world.ref, calendar=replace(calendar, days=days))
    later = World(world.pool, changed, world.now + timedelta(seconds=1))
    async with world.pool.acquire() as conn:
        await reference_tables.record(conn, changed.tables, changed.producers)

    assert await world.deadlines.mark_stale() == 0, "its own calendar is not the newest"
    assert await later.deadlines.mark_stale() == 1
    await later.deadlines.sweep(100)

    end = calendar.end_of(calendar.this_or_next_working(last + timedelta(days=1)))
    assert await world.rows("SELECT next_check_at FROM case_projection") == [(end,)]
    assert f"{last} holiday" in changed.calendar.body.splitlines()
    assert await later.deadlines.mark_stale() == 0


async def test_a_table_that_is_changed_meanwhile_ends_no_loop_and_blames_no_record(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """PostgreSQL refuses a cached statement whose result has another type now."""
    world.now = given.day(10)
    await world.arrive(given.order(), case_id="case-changed-1")
    await world.rows("ALTER TABLE case_projection ALTER COLUMN routings TYPE bigint")

    result = await world.arrive(given.order(time=given.day(1)), case_id="case-changed-2")

    assert result.count("applied") == 1
    assert "batch_failed" not in capsys.readouterr().out
    await world.rows("ALTER TABLE case_projection ALTER COLUMN routings TYPE integer")
    world.now = given.LATER
    with pytest.raises(asyncpg.InvalidCachedStatementError) as refused:
        await world.deadlines.sweep(100)
    assert is_transient(refused.value)
    assert await world.deadlines.sweep(100) == 2


async def test_two_workers_sweep_side_by_side(world: World) -> None:
    world.now = given.day(10)
    for number in range(6):
        await world.arrive(given.order(time=given.day(number)), case_id=f"case-due-{number}")
    world.now = given.LATER

    async with world.pool.acquire() as conn, conn.transaction():
        held = await cases.due(conn, world.now, 3)
        assert len(held) == 3
        assert await world.deadlines.sweep(100) == 3, "those that the other holds are skipped"
