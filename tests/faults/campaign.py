"""All scenarios, and how one runs from a fresh stage to its outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from streams.embedded.kafka import KafkaNode
from tests.faults.arena import Arena
from tests.faults.results import Outcome
from tests.faults.scenarios import (
    clocks,
    compound,
    deadlines,
    disk,
    disorder,
    flood,
    handler,
    hostile,
    hours,
    kafka,
    kills,
    network,
    pauses,
    postgres,
    rebalances,
    stops,
    upgrade,
)
from tests.pipeline.stage import Stage

SCENARIOS: Final[Mapping[str, Callable[[Arena], Outcome]]] = {
    "kills": kills.take,
    "stops": stops.take,
    "rebalances": rebalances.take,
    "pauses": pauses.take,
    "postgres": postgres.take,
    "kafka": kafka.take,
    "compound": compound.take,
    "network": network.take,
    "disk": disk.take,
    "handler": handler.take,
    "disorder": disorder.take,
    "hostile": hostile.take,
    "deadlines": deadlines.take,
    "flood": flood.take,
    "upgrade": upgrade.take,
    "clocks": clocks.take,
    "hours": hours.take,
}
"""By name, in running order."""

_STAGES: Final[Mapping[str, Callable[[str, Path], AbstractContextManager[Stage]]]] = {
    "network": network.stage,
    "disk": disk.stage,
}
"""Scenarios that need another stage than the default one."""


def take(
    name: str,
    servers: str,
    node: KafkaNode | None,
    directory: Path,
    seed: int,
    *,
    share: float | None,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Run one scenario on its own topics, database and consumer group.

    Raises:
        NotHere: this machine lacks something that the scenario needs.
    """
    with (
        _STAGES.get(name, Stage)(servers, directory) as stage,
        Arena(stage, node, name, seed, share=share, say=say) as arena,
    ):
        return SCENARIOS[name](arena)
