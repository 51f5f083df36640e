"""The short form of ``make faults``: each fault a few times, nothing lost, nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.embedded.kafka import KafkaNode
from tests.faults.campaign import SCENARIOS, not_permitted, take

pytestmark = pytest.mark.kafka

_SEED = 20_261_124


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_doubled_or_unexplained(
    name: str, kafka_servers: str, kafka_node: KafkaNode | None, tmp_path: Path
) -> None:
    if name == "kafka" and kafka_node is None:
        pytest.skip("the broker named in the environment is not ours to restart")
    reason = not_permitted(name)
    if reason is not None:
        pytest.skip(reason)

    outcome = take(name, kafka_servers, kafka_node, tmp_path, _SEED, share=None)

    assert outcome.failures == []
    assert (outcome.lost, outcome.doubled, outcome.unexplained) == (0, 0, 0)
    assert outcome.runs > 0
    assert outcome.events > 100
