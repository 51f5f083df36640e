"""Probes answer from the first moment on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streams.runtime.metrics import Metrics
from streams.worker.health import Health


def test_a_worker_whose_consumer_has_not_started_is_not_ready() -> None:
    client = SimpleNamespace(_coordinator=None)
    consumer = SimpleNamespace(_active_partitions=None, _thread=SimpleNamespace(_consumer=client))
    app: Any = SimpleNamespace(_consumer=consumer, rebalancing=False)

    verdict = Health(app, Metrics()).ready()

    assert not verdict.well
    assert verdict.parts["broker_away"] is True


@pytest.mark.parametrize(
    ("seconds", "retrying", "alive"),
    [(59, 0, True), (61, 0, False), (61, 1, True)],
    ids=["under way", "stuck", "waiting for the database"],
)
def test_one_batch_that_hangs_is_found_out_while_others_go_on(
    seconds: float, retrying: int, alive: bool
) -> None:
    lanes = SimpleNamespace(seconds_in_flight=lambda: seconds)
    consumer = SimpleNamespace(_active_partitions=None)
    app: Any = SimpleNamespace(_consumer=consumer, consumer=consumer, lanes=lanes)
    metrics = Metrics()
    metrics.intake_retrying.inc(retrying)
    metrics.last_batch.set_to_current_time()

    assert Health(app, metrics).live().well is alive
