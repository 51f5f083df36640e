"""A worker that starts before Kafka works as soon as Kafka answers; on real Kafka."""

from __future__ import annotations

import pytest

from streams.embedded.kafka import KafkaNode
from tests.pipeline.stage import Stage, until

pytestmark = pytest.mark.kafka


def test_a_worker_that_starts_before_kafka_becomes_ready_without_help(
    kafka_node: KafkaNode | None, stage: Stage
) -> None:
    if kafka_node is None:
        pytest.skip("the brokers of the environment are not ours to stop")
    worker = stage.worker("early")
    kafka_node.stop()
    try:
        worker.start(wait=False)
        until(lambda: worker.probe("readyz")[1].get("broker_away") is True, 30, "it says so")
    finally:
        kafka_node.start()

    until(worker.ready, 30, "it is ready")
    assert worker.stop() == 0
