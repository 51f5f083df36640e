"""An attacker with the worker's role inserts events that never happened: the audit finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest

from schemas.codec import decode, encode
from streams.audit.log import LogPosition, Partition
from tests.audit import given
from tests.audit.world import ALPHA, BETA, World
from tests.deploy.files import ROLES

MISSES = "icam.appointment-missed.v1"
Plant = Callable[[LogPosition], str]


@pytest.fixture
def old_world(world: World) -> World:
    """A world whose events were recorded two days ago, and whose older records Kafka deleted."""
    for days in (4, 3, 2):
        _, kept = world.send(BETA, given.miss(days_ago=days + 20), time=given.ago(days))
    world.sql("UPDATE case_event SET recorded_at = recorded_at - interval '2 days'")
    world.log.truncate(Partition(kept.topic, kept.partition), kept.offset - 1)
    return world


@pytest.fixture
def plant(old_world: World) -> Iterator[Plant]:
    """Insert a miss with a position as the worker's role, with all that it may write."""
    with psycopg.connect(old_world.url, autocommit=True) as owner:
        owner.execute(ROLES.read_bytes())
    as_worker = old_world.url.replace("//postgres@", "//icam_worker@")
    with psycopg.connect(as_worker, autocommit=True) as conn:

        def insert(place: LogPosition) -> str:
            event_id = uuid4()
            sent = encode(
                given.miss(),
                event_id=event_id,
                case_id=ALPHA,
                source="/be/fedasil",
                time=given.ago(1),
            )
            event = decode(sent.topic, sent.key, sent.value, sent.headers)
            conn.execute(
                "INSERT INTO case_event (event_id, case_id, type, source, occurred_at, payload,"
                ' digest, topic, "partition", "offset")'
                " VALUES (%s, %s, %s, %s, %s, %s::json, %s, %s, %s, %s)",
                [
                    *(event.event_id, event.case_id, event.type, event.source, event.time),
                    *(event.payload.decode(), event.digest, *place),
                ],
            )
            return str(event_id)

        yield insert


def _in_log(world: World) -> list[str]:
    return [str(finding) for finding in world.audit().findings if finding.check == "log"]


def test_events_recorded_before_those_that_kafka_retains_are_in_order(old_world: World) -> None:
    assert _in_log(old_world) == []


def test_three_planted_misses_are_found_wherever_they_are_said_to_be(
    old_world: World, plant: Plant
) -> None:
    retained = old_world.log.ends[Partition(MISSES, 0)] - 1
    planted = [
        plant(LogPosition(MISSES, 0, 0)),  # deleted: another event was there
        plant(LogPosition(MISSES, 0, -7)),  # no record was ever there
        plant(LogPosition(MISSES, 0, retained)),  # the record there is another event
    ]

    found = _in_log(old_world)

    for event_id in planted:
        assert sum(event_id in finding for finding in found) == 1, found
    assert len(found) == 3


def test_a_planted_miss_in_a_partition_or_topic_that_does_not_exist_is_found(
    old_world: World, plant: Plant
) -> None:
    planted = [plant(LogPosition(MISSES, 99, 0)), plant(LogPosition("nowhere", 0, 0))]

    found = _in_log(old_world)

    assert all(any(event_id in finding for finding in found) for event_id in planted)


def test_a_dead_letter_that_was_replayed_late_is_in_order(old_world: World, plant: Plant) -> None:
    place = LogPosition(MISSES, 0, 0)
    plant(place)
    old_world.sql(
        'INSERT INTO dead_letter (topic, "partition", "offset", headers, reason, detail, case_ids,'
        " resolved_at, resolution) VALUES (%s, %s, %s, '[]', 'bug', '', '{}', %s, 'replayed')",
        *(*place, given.NOW),
    )

    assert _in_log(old_world) == []
