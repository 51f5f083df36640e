"""A slow seek after a rebalance is waited for; Faust would give up all reading."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.tables import recovery as faust_recovery
from faust.tables.recovery import ServiceStopped

from streams.worker.recovery import Recovery


def made(of: type[faust_recovery.Recovery]) -> Any:
    """Return a recovery of an app without tables, not started."""
    tables: Any = SimpleNamespace()
    app: Any = SimpleNamespace(conf=SimpleNamespace(stream_recovery_delay=0.0), tracer=None)
    return of(app, tables)


async def test_a_seek_that_takes_longer_than_a_request_ends_well() -> None:
    sought = []

    async def seek() -> None:
        await asyncio.sleep(0.05)
        sought.append("committed")

    await made(Recovery)._wait(seek(), timeout=0.01)
    assert sought == ["committed"]


async def test_faust_takes_the_same_for_the_end_of_the_worker() -> None:
    """What ours is for: when this fails, Faust was mended."""
    with pytest.raises(ServiceStopped):
        await made(faust_recovery.Recovery)._wait(asyncio.sleep(0.05), timeout=0.01)


async def test_the_next_rebalance_ends_a_seek_that_hangs() -> None:
    recovery = made(Recovery)
    asyncio.get_running_loop().call_later(0.02, recovery.signal_recovery_start.set)
    with pytest.raises(faust_recovery.RebalanceAgain):
        await recovery._wait(asyncio.sleep(60), timeout=0.01)


async def test_the_end_of_the_worker_ends_it_too() -> None:
    recovery = made(Recovery)
    asyncio.get_running_loop().call_later(0.02, recovery._stopped.set)
    with pytest.raises(ServiceStopped):
        await recovery._wait(asyncio.sleep(60), timeout=0.01)
