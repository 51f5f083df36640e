"""The canary measures the real pipeline and is excluded from all counts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from confluent_kafka.admin import AdminClient

from schemas.canary import is_canary
from schemas.outcomes import CASE_ROUTED_TOPIC
from streams.cli.output import with_connection
from streams.kafka import topics
from streams.runtime.metrics import CanaryMetrics
from streams.runtime.settings import CanarySettings, DatabaseSettings, Settings
from streams.services.canary import Canary
from streams.store.statistics import cases_by_office
from tests.pipeline.stage import Stage, until
from tests.producers import TOPICS

pytestmark = [pytest.mark.kafka, pytest.mark.any_date]


def _canary(stage: Stage, patience: float) -> tuple[Canary, CanaryMetrics]:
    metrics = CanaryMetrics()
    settings = Settings(kafka=stage.kafka, canary=CanarySettings(patience_seconds=patience))
    return Canary(settings, metrics), metrics


def test_every_canary_event_is_announced_while_a_worker_runs(stage: Stage) -> None:
    stage.worker("worker").start()
    canary, metrics = _canary(stage, patience=30)

    seconds = [canary.measure(datetime.now(UTC)) for _ in range(3)]

    canary.close()
    assert None not in seconds
    assert metrics.missed._value.get() == 0
    assert metrics.last_success._value.get() > 0
    stage.drain()  # the last end may follow the announcement of its order
    cases = stage.query("SELECT case_id, events FROM case_projection")
    assert all(is_canary(case_id) for case_id, _ in cases)
    # One case each day: a day may end meanwhile.
    assert sum(events for _, events in cases) == 6, "an order and its end"
    assert stage.audit().findings == ()


def test_a_canary_event_is_missed_without_a_worker_and_announced_with_one(stage: Stage) -> None:
    canary, metrics = _canary(stage, patience=1)

    assert canary.measure(datetime.now(UTC)) is None
    assert metrics.missed._value.get() == 1

    stage.worker("worker").start()
    until(lambda: canary.measure(datetime.now(UTC)) is not None, 60, "its event is announced")
    canary.close()


def test_a_canary_started_before_its_topic_exists_sees_later_announcements(stage: Stage) -> None:
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap_servers})
    admin.delete_topics([CASE_ROUTED_TOPIC])[CASE_ROUTED_TOPIC].result()
    until(lambda: CASE_ROUTED_TOPIC not in admin.list_topics().topics, 30, "the topic is gone")
    canary, _ = _canary(stage, patience=10)

    assert canary.measure(datetime.now(UTC)) is None

    topics.ensure(stage.kafka, TOPICS)
    stage.worker("worker").start()
    until(lambda: canary.measure(datetime.now(UTC)) is not None, 90, "its event is announced")
    canary.close()


def test_the_canary_case_is_excluded_from_all_counts(stage: Stage) -> None:
    worker = stage.worker("worker")
    worker.start()
    canary, _ = _canary(stage, patience=30)

    assert canary.measure(datetime.now(UTC)) is not None

    canary.close()
    assert "icam_routings_total{" not in worker.metrics()
    settings = Settings(kafka=stage.kafka, database=DatabaseSettings(url=stage.postgres.url))
    assert with_connection(settings, cases_by_office) == []
