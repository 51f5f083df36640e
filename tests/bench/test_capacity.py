"""The simulation agrees with limits that can be calculated by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.capacity import GROWTH, Costs, Shape, rate, saturated

pytestmark = pytest.mark.slow

COSTS = Costs(client=100, server=50)


def test_a_worker_is_never_faster_than_its_one_thread_and_comes_close() -> None:
    alone = Shape(worker_cores=4, database_cores=8)

    assert 0.75 < rate(COSTS, alone) * COSTS.client / 1e6 <= 1


@pytest.mark.parametrize("shape", GROWTH)
def test_no_shape_uses_more_cores_than_it_has(shape: Shape) -> None:
    found = rate(COSTS, shape) / 1e6

    cores = shape.worker_cores + shape.database_cores
    assert found * (COSTS.client + COSTS.server + COSTS.broker) <= cores * 1.01


def test_what_is_scarce_decides() -> None:
    wide = Shape(workers=8, worker_cores=8, database_cores=1)

    assert rate(COSTS, wide) == pytest.approx(1e6 / (COSTS.server + COSTS.broker), rel=0.05)
    assert "database" in saturated(COSTS, wide, rate(COSTS, wide))
    assert rate(replace(COSTS, server=5), wide) > 2 * rate(COSTS, wide)


def test_two_lanes_hide_the_wait_that_one_has() -> None:
    assert rate(COSTS, Shape(lanes=2)) > 1.2 * rate(COSTS, Shape(lanes=1))
