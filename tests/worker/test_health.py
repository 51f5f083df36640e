"""Liveness and readiness, from the first moment on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from faust.types import TP

from streams.runtime.state import WorkerState
from streams.worker.fetching import Held
from streams.worker.health import Health
from streams.worker.transport import Membership


@dataclass
class Member:
    """A member of the group that reads all of its partitions."""

    partitions: int = 4
    behind: int = 0
    coordinator: bool = True
    moving: bool = False
    fetched: int = 4
    held: dict[str, str] = field(default_factory=dict)

    def partitions_assigned(self) -> int:
        return self.partitions

    def partitions_fetched(self, _: float) -> int:
        return self.fetched

    def partitions_expected(self) -> int:
        return 4

    def partitions_held(self) -> dict[str, str]:
        return self.held

    def records_behind(self) -> int:
        return self.behind

    def coordinator_known(self) -> bool:
        return self.coordinator

    def rebalancing(self) -> bool:
        return self.moving


NOW = 1_772_442_000.0
"""Unix time, in seconds."""


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

    verdict = health(member=Membership(app, ())).ready()

    assert not verdict.well
    assert verdict.parts["broker_away"] is True


def test_a_worker_without_a_consumer_is_alive_and_not_ready() -> None:
    member = Membership(SimpleNamespace(_consumer=None, rebalancing=False, lanes=None), ())

    assert health(member=member).live().parts == {"records_behind": 0, "seconds_stuck": 0.0}
    assert not health(member=member).ready().well


def reading(held: Iterable[TP] = (), **states: Any) -> SimpleNamespace:
    """Return a consumer that is at these positions of the topic orders, by partition number."""
    tps = {TP("orders", int(name[1:])): state for name, state in states.items()}
    assignment = SimpleNamespace(
        _tp_state={TopicPartition(*tp): state for tp, state in tps.items()}
    )
    subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))
    fetcher = SimpleNamespace(
        held={TopicPartition(*tp): Held("UnsupportedCodecError", 7, 0.0) for tp in held},
        settling=set(),
        _records={},
        deferred=frozenset(),
    )
    client = SimpleNamespace(_subscription=subscription, _fetcher=fetcher)
    return SimpleNamespace(_active_partitions=set(tps), _thread=SimpleNamespace(_consumer=client))


def at(position: int, stable: int | None, seconds_ago: float = 0) -> SimpleNamespace:
    polled = (NOW - seconds_ago) * 1000
    return SimpleNamespace(_position=position, lso=stable, timestamp=polled)


def test_records_behind_are_those_that_a_reader_of_committed_records_has_not_done() -> None:
    consumer = reading(p0=at(7, 10), p1=at(9, 9), p2=at(0, None), p3=at(3, 3))
    member = Membership(SimpleNamespace(_consumer=consumer, rebalancing=False, lanes=None), ())
    assert (member.partitions_assigned(), member.records_behind()) == (4, 3)


def test_a_partition_that_is_held_is_named_and_does_not_count_as_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.worker.transport.time", SimpleNamespace(time=lambda: NOW))
    consumer = reading([TP("orders", 0)], p0=at(7, 10), p1=at(4, 9), p2=at(4, 4, seconds_ago=60))
    member = Membership(SimpleNamespace(_consumer=consumer, rebalancing=False, lanes=None), ())

    assert member.records_behind() == 5
    assert member.partitions_held() == {"orders[0]": "UnsupportedCodecError at 7"}
    assert member.partitions_fetched(15) == 1, "one is held, and the broker of one is silent"


def test_a_partition_that_is_held_makes_a_worker_not_ready_and_leaves_it_alive() -> None:
    member = Member(held={"orders[0]": "UnsupportedCodecError at 7"}, fetched=3)

    verdict = health(member=member).ready()
    assert not verdict.well
    assert verdict.parts["partitions_held"] == member.held
    assert health(member=member).live().well


def test_partitions_that_are_not_fetched_for_long_make_a_worker_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("streams.worker.health.time", SimpleNamespace(monotonic=lambda: clock[0]))
    member = Member(fetched=3)
    probed = health(member=member)
    assert probed.ready().well, "they may just have been assigned"
    clock[0] += 16
    assert probed.ready().parts["not_fetched"] is True
    member.fetched = 4
    assert probed.ready().well


def test_a_worker_that_reads_its_partitions_is_ready_and_shows_their_number() -> None:
    state = WorkerState()

    verdict = health(state).ready()

    assert verdict.well
    assert list(verdict.parts.values()) == [4, 4, 4, {}, *[False] * 7]
    assert state.partitions_assigned == 4


@pytest.mark.parametrize(
    ("part", "state", "member"),
    [
        ("intake_retrying", WorkerState(batches_retrying=1), Member()),
        ("database_away", WorkerState(database_away=True), Member()),
        ("broker_away", WorkerState(), Member(coordinator=False)),
        ("membership_refused", WorkerState(membership_refused="x"), Member()),
        ("relay_failing", WorkerState(relay_failing=True), Member()),
        ("rebalancing", WorkerState(), Member(moving=True)),
    ],
)
def test_each_obstacle_alone_makes_a_worker_not_ready(
    part: str, state: WorkerState, member: Member
) -> None:
    verdict = health(state, member).ready()

    assert not verdict.well
    assert [name for name, value in verdict.parts.items() if value is True or value == "x"] == [
        part
    ]


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


def test_a_rebalance_that_does_not_end_after_the_assignment_is_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seen under load: partitions assigned, none fetched, no record known to wait, for minutes."""
    clock = [1000.0]
    monkeypatch.setattr("streams.worker.health.time", SimpleNamespace(monotonic=lambda: clock[0]))
    state, member = WorkerState(), Member(moving=True, fetched=0)
    probed = health(state, member)

    clock[0] += 61
    assert not probed.live().well
    for changed in ("partitions", "coordinator", "moving"):
        setattr(member, changed, 0 if changed == "partitions" else False)
        assert probed.live().well, f"the group waits for others: {changed}"
        setattr(member, changed, 4 if changed == "partitions" else True)
        clock[0] += 59
        assert probed.live().well
    clock[0] += 2
    state.database_away = True
    assert probed.live().well, "a wait for the database"


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
