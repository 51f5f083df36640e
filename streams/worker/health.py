"""Worker liveness and readiness, from the worker's state, its consumer and its lanes.

Liveness means progress: a worker that commits nothing while records wait is not alive, whatever its
process looks like. A worker that waits for the database is alive and not ready.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from streams.runtime.http import Verdict
from streams.runtime.state import WorkerState

_FETCH_PATIENCE: Final = 15.0
"""Seconds without an answer of its broker after which a partition counts as not read."""


class GroupMember(Protocol):
    """The worker's membership in its consumer group, as the transport knows it."""

    def partitions_assigned(self) -> int:
        """Return how many input partitions are assigned."""

    def partitions_fetched(self, patience: float) -> int:
        """Return how many of them are read: their broker answered within ``patience`` seconds."""

    def partitions_expected(self) -> int:
        """Return how many partitions the input topics have, for all members of the group."""

    def partitions_held(self) -> Mapping[str, str]:
        """Return the partitions that can't be read, each with the reason and the offset."""

    def records_behind(self) -> int:
        """Return how many records of the assigned partitions can be read and are not done."""

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
        self._all_fetched = time.monotonic()
        self._settled = time.monotonic()

    def live(self) -> Verdict:
        """Not alive when no batch was committed for the patience while records wait, or when one
        batch has been in flight for as long; a wait for the database counts as progress. Nor when
        partitions are assigned and the rebalance does not end for as long: Faust's recovery can
        end without resuming, and then nothing is read and no record seems to wait.
        """
        last_batch = self._state.last_batch_at
        behind = self._state.records_behind = self._member.records_behind()
        waits = self._state.waits_for_database
        if last_batch != self._last_batch or behind == 0 or waits:
            self._last_batch, self._progress = last_batch, time.monotonic()
        member = self._member
        resuming = member.rebalancing() and member.partitions_assigned() > 0
        if not resuming or waits or not member.coordinator_known():
            self._settled = time.monotonic()
        in_flight = 0.0 if waits else self._seconds_in_flight()
        stuck = max(time.monotonic() - min(self._progress, self._settled), in_flight)
        return Verdict(
            stuck < self._patience, {"records_behind": behind, "seconds_stuck": round(stuck, 1)}
        )

    def ready(self) -> Verdict:
        """Ready when partitions are assigned and all of them read, the database and the brokers
        answer, the outbox can be published, and the group is not rebalancing. ``database`` says
        what to do while the database can't be used, ``relay`` who publishes the outbox and since
        when.
        """
        member, state = self._member, self._state
        assigned, expected = member.partitions_assigned(), member.partitions_expected()
        fetched, held = member.partitions_fetched(_FETCH_PATIENCE), member.partitions_held()
        state.partitions_assigned, state.partitions_expected = assigned, expected
        state.partitions_fetched, state.partitions_held = fetched, tuple(held)
        if fetched == assigned or member.rebalancing():
            self._all_fetched = time.monotonic()
        obstacles: dict[str, object] = {
            "intake_retrying": state.batches_retrying > 0,
            "database_away": state.database_away,
            "broker_away": not member.coordinator_known(),
            "membership_refused": bool(state.membership_refused),
            "relay_failing": state.relay_failing,
            "rebalancing": member.rebalancing(),
            "not_fetched": time.monotonic() - self._all_fetched > _FETCH_PATIENCE,
        }
        ready = assigned > 0 and not any(obstacles.values()) and not held
        says = {"database": state.database_says, "relay": state.relay_holder}
        return Verdict(
            ready,
            {
                "partitions_expected": expected,
                "partitions_assigned": assigned,
                "partitions_fetched": fetched,
                "partitions_held": dict(held),
                **obstacles,
                **{name: text for name, text in says.items() if text},
            },
        )
