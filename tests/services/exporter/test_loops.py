"""A failing reading shows its age, delays no other reading, and recovers."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from streams.audit import DatabaseUnreadable
from streams.runtime.metrics import ExporterMetrics
from streams.services.exporter import loops as module
from streams.services.exporter.loops import ReadingLoops, ReadingState


async def _for_a_while(loops: ReadingLoops) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await loops.run()


async def test_a_failing_reading_is_reported_and_recovers() -> None:
    metrics, away = ExporterMetrics(), [True]
    taken: list[str] = []

    async def shaky() -> None:
        if away[0]:
            raise DatabaseUnreadable("restarting")
        taken.append("shaky")

    async def steady() -> None:
        taken.append("steady")

    loops = ReadingLoops(
        [
            ReadingState("shaky", 0.01, shaky, metrics.database_away),
            ReadingState("steady", 0.01, steady),
        ],
        metrics,
    )
    await _for_a_while(loops)
    assert set(taken) == {"steady"}
    assert loops.missing == {"shaky"}
    assert metrics.database_away._value.get() == 1
    assert loops.age("shaky") > loops.age("steady")

    away[0] = False
    await _for_a_while(loops)
    assert "shaky" in taken
    assert loops.missing == set()
    assert metrics.database_away._value.get() == 0


async def test_a_failed_reading_is_retried_soon_however_rare_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    tried: list[int] = []

    async def not_yet() -> None:
        tried.append(len(tried))
        if len(tried) < 3:
            raise DatabaseUnreadable("starting")

    loops = ReadingLoops([ReadingState("audit", 3600, not_yet)], ExporterMetrics())
    await _for_a_while(loops)

    assert len(tried) == 3
    assert loops.missing == set()


async def test_an_exporter_is_ready_before_its_first_audit_has_read_the_whole_history() -> None:
    """Else Prometheus sees nothing of it for minutes after each start, and the more the older."""
    goes_on = asyncio.Event()

    async def quick() -> None:
        pass

    async def audit() -> None:
        await goes_on.wait()

    readings = [ReadingState("backlog", 1, quick), ReadingState("audit", 1, audit, long=True)]
    loops = ReadingLoops(readings, ExporterMetrics())
    before = loops.ready

    await _for_a_while(loops)
    assert (before, loops.ready) == (False, True)
    assert loops.missing == {"audit"}


async def test_a_bug_in_a_reading_ends_the_exporter() -> None:
    async def wrong() -> None:
        raise KeyError("ours")

    loops = ReadingLoops([ReadingState("wrong", 1, wrong)], ExporterMetrics())

    with pytest.raises(ExceptionGroup) as ended:
        await loops.run()
    assert ended.group_contains(KeyError)
