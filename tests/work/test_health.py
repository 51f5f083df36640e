"""Probes answer from the first moment on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from streams.health import Health
from streams.metrics import Metrics


def test_a_worker_whose_consumer_has_not_started_is_not_ready() -> None:
    client = SimpleNamespace(_coordinator=None)
    consumer = SimpleNamespace(_active_partitions=None, _thread=SimpleNamespace(_consumer=client))
    app: Any = SimpleNamespace(_consumer=consumer, rebalancing=False)

    verdict = Health(app, Metrics()).ready()

    assert not verdict.well
    assert verdict.parts["broker_away"] is True
