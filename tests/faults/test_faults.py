"""The short form of ``make faults``: a few of each fault, no event lost or duplicated."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.embedded.kafka import KafkaNode
from tests.faults.arena import NotHere
from tests.faults.campaign import SCENARIOS, take

pytestmark = pytest.mark.kafka

_SEED = 20_261_124


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_doubled_or_unexplained(
    name: str, kafka_servers: str, kafka_node: KafkaNode | None, tmp_path: Path
) -> None:
    if name in ("kafka", "compound") and kafka_node is None:
        pytest.skip("the broker named in the environment is not ours to restart")

    try:
        outcome = take(name, kafka_servers, kafka_node, tmp_path, _SEED, share=None)
    except NotHere as missing:
        if missing.required_by and os.environ.get(missing.required_by):
            pytest.fail(f"{missing.required_by} is set, but {missing}")
        pytest.skip(str(missing))

    assert outcome.failures == []
    assert (outcome.lost, outcome.doubled, outcome.unexplained) == (0, 0, 0)
    assert outcome.runs > 0
    assert outcome.events > 100
