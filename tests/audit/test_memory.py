"""The memory of an audit hardly grows with the log."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from streams.audit import batches, database
from tests.audit.many import LazyLog, fill
from tests.audit.world import World

pytestmark = [pytest.mark.server, pytest.mark.slow]


def test_five_times_the_events_take_hardly_more_memory(
    audit_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event took some 700 bytes when all of them were kept in memory."""
    # What is read at once is the same for both, and smaller than the smaller log.
    monkeypatch.setattr(database, "_FETCH_ROWS", 200)
    monkeypatch.setattr(batches, "_MOST", 100)
    world = World(audit_database)
    world.log = LazyLog()
    fill(world, 1_000)
    world.audit()  # what a first audit loads and keeps is not of the log
    few = _peak(world)
    fill(world, 4_000)
    many = _peak(world)
    world.close()

    assert many - few < 4_000 * 100, (few, many)


def _peak(world: World) -> int:
    """Return the most memory that an audit held above its start, in bytes."""
    gc.collect()
    tracemalloc.start()
    try:
        start, _ = tracemalloc.get_traced_memory()
        report = world.audit(drained=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.findings == ()
    return peak - start
