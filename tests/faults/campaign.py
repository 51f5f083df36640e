"""Which scenarios there are, and one of them done from a fresh stage to its outcome."""

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
"""By name, in the order in which they are taken."""

_STAGES: Final[Mapping[str, Callable[[str, Path], AbstractContextManager[Stage]]]] = {
    "network": network.stage,
    "disk": disk.stage,
}
"""Where a scenario is done that needs other than the usual servers."""


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
    """Do one scenario on topics, a database and a group of its own.

    Raises:
        NotHere: this machine has not what it needs.
    """
    with (
        _STAGES.get(name, Stage)(servers, directory) as stage,
        Arena(stage, node, name, seed, share=share, say=say) as arena,
    ):
        return SCENARIOS[name](arena)
