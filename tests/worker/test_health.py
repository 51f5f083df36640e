"""Liveness and readiness, from the first moment on."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams.runtime.state import WorkerState
from streams.worker.health import Health
from streams.worker.transport import Membership


@dataclass
class Member:
    """A member of the group that reads all of its partitions."""

    partitions: int = 4
    behind: int = 0
    coordinator: bool = True
    moving: bool = False

    def partitions_assigned(self) -> int:
        return self.partitions

    def records_behind(self) -> int:
        return self.behind

    def coordinator_known(self) -> bool:
        return self.coordinator

    def rebalancing(self) -> bool:
        return self.moving


def health(
    state: WorkerState | None = None,
    member: Member | Membership | None = None,
    in_flight: float = 0,
    patience: float = 60,
) -> Health:
    return Health(state or WorkerState(), member or Member(), lambda: in_flight, patience)


def test_a_worker_whose_consumer_has_not_started_is_not_ready() -> None:
    client = SimpleNamespace(_coordinator=None)
    consumer = SimpleNamespace(_active_partitions=None, _thread=SimpleNamespace(_consumer=client))
    app = SimpleNamespace(_consumer=consumer, rebalancing=False)

    verdict = health(member=Membership(app)).ready()

    assert not verdict.well
    assert verdict.parts["broker_away"] is True


def test_a_worker_without_a_consumer_is_alive_and_not_ready() -> None:
    member = Membership(SimpleNamespace(_consumer=None, rebalancing=False))

    assert health(member=member).live().parts == {"records_behind": 0, "seconds_stuck": 0.0}
    assert not health(member=member).ready().well


def test_records_behind_are_those_between_the_committed_offset_and_the_end() -> None:
    one, two, new = TP("orders", 0), TP("orders", 1), TP("orders", 2)
    consumer: Any = SimpleNamespace(
        _active_partitions={one, two, new},
        _committed_offset={one: 7, two: 9, new: None},
        highwater={one: 10, two: 9, new: 5}.get,
    )
    member = Membership(SimpleNamespace(_consumer=consumer, rebalancing=False))

    assert (member.partitions_assigned(), member.records_behind()) == (3, 3)


def test_a_worker_that_reads_its_partitions_is_ready_and_shows_their_number() -> None:
    state = WorkerState()

    verdict = health(state).ready()

    assert verdict.well
    assert list(verdict.parts.values()) == [4, False, False, False, False, False]
    assert state.partitions_assigned == 4


@pytest.mark.parametrize(
    ("part", "state", "member"),
    [
        ("intake_retrying", WorkerState(batches_retrying=1), Member()),
        ("database_away", WorkerState(database_away=True), Member()),
        ("broker_away", WorkerState(), Member(coordinator=False)),
        ("relay_failing", WorkerState(relay_failing=True), Member()),
        ("rebalancing", WorkerState(), Member(moving=True)),
    ],
)
def test_each_obstacle_alone_makes_a_worker_not_ready(
    part: str, state: WorkerState, member: Member
) -> None:
    verdict = health(state, member).ready()

    assert not verdict.well
    assert [name for name, value in verdict.parts.items() if value is True] == [part]


def test_a_worker_that_commits_nothing_while_records_wait_is_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("streams.worker.health.time", SimpleNamespace(monotonic=lambda: clock[0]))
    state, member = WorkerState(last_batch_at=1.0), Member(behind=5)
    probed = health(state, member)
    assert probed.live().well

    clock[0] += 61
    assert probed.live().parts == {"records_behind": 5, "seconds_stuck": 61.0}
    assert not probed.live().well

    state.last_batch_at = 2.0
    assert probed.live().well, "a batch was committed"
    clock[0] += 61
    member.behind = 0
    assert probed.live().well, "no record waits"


@pytest.mark.parametrize(
    ("seconds", "retrying", "alive"),
    [(59, 0, True), (61, 0, False), (61, 1, True)],
    ids=["in flight", "stuck", "waiting for the database"],
)
def test_one_batch_that_hangs_is_found_while_others_go_on(
    seconds: float, retrying: int, alive: bool
) -> None:
    state = WorkerState(batches_retrying=retrying, last_batch_at=1.0)

    assert health(state, in_flight=seconds).live().well is alive
