"""Projections made again from the log: the same as before, or put right."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from streams.casework.rebuild import Rebuilt, rebuild
from streams.intake.record import Record
from streams.runtime.settings import DatabaseSettings, Settings
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream
from streams.store.events import Position
from tests.domain import given
from tests.producers import FILE
from tests.stopped_clock import stop_clock
from tests.world import World

_SHOWN = """
    SELECT case_id, digest, events, order_id, status, office_id, track, route::text, routings,
           level, blocked::text, next_check_at, reference_digest
    FROM case_projection ORDER BY case_id
"""
_CHANGES = (
    "level = level + 1",
    "events = events + 1",
    "digest = sha256('x')",
    "status = 'lost'",
    "office_id = 'office-nowhere'",
    "next_check_at = next_check_at + interval '1 day'",
    "blocked = '[]'",
)


@pytest.fixture
async def worked(world: World) -> World:
    """A world with three months of a small region behind it."""
    world.now = given.WEDNESDAY
    history = SimulationSettings(
        start=world.now - timedelta(days=90), end=world.now, seed=3, scale=0.05
    )
    records = [
        Record(Position(item.record.topic, 0, n), *_parts(item.record))
        for n, item in enumerate(stream(history))
    ]
    for at in range(0, len(records), 100):
        await world.take(records[at : at + 100])
    return world


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings for a rebuild at the same instant: else terms could have ended meanwhile."""
    stop_clock(database_url, given.WEDNESDAY)
    return Settings(
        database=DatabaseSettings.model_validate({"url": database_url}), producers_file=FILE
    )


async def test_given_work_well_done_then_every_projection_comes_out_the_same(
    worked: World, settings: Settings
) -> None:
    found = await _rebuild(settings, mend=False)

    assert found.cases > 100
    assert [(found.events,)] == await worked.rows("SELECT count(*) FROM case_event")
    assert (found.differing, found.older) == (0, 0)


async def test_given_projections_that_the_log_does_not_support_then_they_are_found_and_mended(
    worked: World, settings: Settings
) -> None:
    before = await worked.rows(_SHOWN)
    cases = await worked.rows(
        "SELECT case_id FROM case_projection WHERE next_check_at IS NOT NULL"
        " AND blocked::text <> '[]' ORDER BY case_id LIMIT $1",
        len(_CHANGES),
    )
    changed = [case_id for (case_id,) in cases]
    for case_id, change in zip(changed, _CHANGES, strict=True):
        await worked.rows(f"UPDATE case_projection SET {change} WHERE case_id = $1", case_id)

    checked = await _rebuild(settings, mend=False)
    assert sorted(checked.shown) == changed
    assert (checked.differing, checked.mended) == (len(_CHANGES), 0)
    mended = await _rebuild(settings, mend=True)
    assert (mended.differing, mended.mended) == (len(_CHANGES), len(_CHANGES))

    assert (await _rebuild(settings, mend=False)).differing == 0
    assert await worked.rows(_SHOWN) == before


async def test_given_all_projections_are_lost_then_they_come_back_and_nothing_is_announced_again(
    worked: World, settings: Settings
) -> None:
    before, announced = await worked.rows(_SHOWN), await worked.announced()
    await worked.rows("DELETE FROM case_projection")

    found = await _rebuild(settings, mend=True)

    assert found.mended == found.differing == len(before)
    assert await worked.rows(_SHOWN) == before
    assert await worked.announced() == announced


async def test_given_other_reference_data_then_only_the_fold_is_compared(
    worked: World, settings: Settings
) -> None:
    await worked.rows("UPDATE case_projection SET reference_digest = 'other', level = 5")

    found = await _rebuild(settings, mend=False)

    assert (found.older, found.differing) == (found.cases, 0)


async def test_given_an_empty_database_then_there_is_nothing_to_do(
    world: World, settings: Settings
) -> None:
    assert await _rebuild(settings, mend=True) == Rebuilt()


async def _rebuild(settings: Settings, *, mend: bool) -> Rebuilt:
    return await asyncio.to_thread(rebuild, settings, mend=mend, processes=2)


def _parts(record: Any) -> tuple[Any, Any, Any]:
    return record.key, record.value, record.headers
