"""Worker liveness and readiness, from the worker's state, its consumer and its lanes.

Liveness means progress: a worker that commits nothing while records wait is not alive, whatever its
process looks like. A worker that waits for the database is alive and not ready.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from streams.runtime.http import Verdict
from streams.runtime.state import WorkerState


class GroupMember(Protocol):
    """The worker's membership in its consumer group, as the transport knows it."""

    def partitions_assigned(self) -> int:
        """Return how many input partitions are assigned."""

    def records_behind(self) -> int:
        """Return how many records of the assigned partitions are on Kafka and not committed."""

    def coordinator_known(self) -> bool:
        """Whether the group's coordinator is known; not while the brokers are away or move it."""

    def rebalancing(self) -> bool:
        """Whether the group is being rebalanced."""


class Health:
    """Answers the two probes."""

    def __init__(
        self,
        state: WorkerState,
        member: GroupMember,
        seconds_in_flight: Callable[[], float],
        patience: float = 60.0,
    ) -> None:
        """``seconds_in_flight`` returns how long the oldest batch has been in flight. A worker
        without progress for ``patience`` seconds is stuck, unless the database is away.
        """
        self._state = state
        self._member = member
        self._seconds_in_flight = seconds_in_flight
        self._patience = patience
        self._progress = time.monotonic()
        self._last_batch = 0.0

    def live(self) -> Verdict:
        """Not alive when no batch was committed for the patience while records wait, or when one
        batch has been in flight for as long; a wait for the database counts as progress.
        """
        last_batch = self._state.last_batch_at
        behind = self._member.records_behind()
        waits = self._state.waits_for_database
        if last_batch != self._last_batch or behind == 0 or waits:
            self._last_batch, self._progress = last_batch, time.monotonic()
        in_flight = 0.0 if waits else self._seconds_in_flight()
        stuck = max(time.monotonic() - self._progress, in_flight)
        return Verdict(
            stuck < self._patience, {"records_behind": behind, "seconds_stuck": round(stuck, 1)}
        )

    def ready(self) -> Verdict:
        """Ready when partitions are assigned, the database and the brokers answer, the outbox can
        be published, and the group is not rebalancing.
        """
        assigned = self._member.partitions_assigned()
        self._state.partitions_assigned = assigned
        obstacles: dict[str, object] = {
            "intake_retrying": self._state.batches_retrying > 0,
            "database_away": self._state.database_away,
            "broker_away": not self._member.coordinator_known(),
            "relay_failing": self._state.relay_failing,
            "rebalancing": self._member.rebalancing(),
        }
        ready = assigned > 0 and not any(obstacles.values())
        return Verdict(ready, {"partitions_assigned": assigned, **obstacles})
