"""The canary passes through everything that is real, and is nobody's case."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.canary import is_canary
from streams.cli.output import with_connection
from streams.runtime.metrics import CanaryMetrics
from streams.runtime.settings import CanarySettings as Mine
from streams.runtime.settings import DatabaseSettings, Settings
from streams.services.canary import Canary
from streams.store.statistics import cases_by_office
from tests.pipeline.stage import Stage, until

pytestmark = pytest.mark.kafka


def _canary(stage: Stage, patience: float) -> tuple[Canary, CanaryMetrics]:
    metrics = CanaryMetrics()
    settings = Settings(kafka=stage.kafka, canary=Mine(patience_seconds=patience))
    return Canary(settings, metrics), metrics


def test_it_is_heard_again_and_again_while_a_worker_works(stage: Stage) -> None:
    stage.worker("worker").start()
    bird, metrics = _canary(stage, patience=30)

    heard = [bird.sing(datetime.now(UTC)) for _ in range(3)]

    bird.close()
    assert None not in heard
    assert metrics.missed._value.get() == 0
    assert metrics.last_success._value.get() > 0
    cases = stage.query("SELECT case_id, events FROM case_projection")
    assert [(is_canary(case_id), events) for case_id, events in cases] == [(True, 3)]
    stage.drain()
    assert stage.audit().findings == ()


def test_it_is_missed_while_none_works_and_heard_when_one_does(stage: Stage) -> None:
    bird, metrics = _canary(stage, patience=1)

    assert bird.sing(datetime.now(UTC)) is None
    assert metrics.missed._value.get() == 1

    stage.worker("worker").start()
    until(lambda: bird.sing(datetime.now(UTC)) is not None, 60, "it is heard")
    bird.close()


def test_it_does_not_count_as_a_case(stage: Stage) -> None:
    worker = stage.worker("worker")
    worker.start()
    bird, _ = _canary(stage, patience=30)

    assert bird.sing(datetime.now(UTC)) is not None

    bird.close()
    assert "icam_routings_total{" not in worker.metrics()
    settings = Settings(kafka=stage.kafka, database=DatabaseSettings(url=stage.postgres.url))
    assert with_connection(settings, cases_by_office) == []
