"""What an audit finds does not depend on the batches in which it looks records up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.codec import encode
from schemas.outcomes import CASE_ROUTED_TOPIC
from streams.audit import batches
from streams.audit.batches import record_batches
from streams.audit.log import LogPosition, LogRecord, Partition
from streams.audit.seen import Bits, Numbers, SeenRecords
from tests.audit import given
from tests.audit.planting import PLANTED, Plant
from tests.audit.violations import announcing, intake
from tests.audit.world import ALPHA, BETA, World

MISSES = "icam.appointment-missed.v1"
_LOOKED_UP = [
    (plant, options)
    for plant, _, options in PLANTED
    if plant.__module__ in (intake.__name__, announcing.__name__)
]


@pytest.mark.parametrize(
    ("plant", "options"), _LOOKED_UP, ids=[plant.__name__ for plant, _ in _LOOKED_UP]
)
def test_a_violation_is_reported_the_same_from_batches_of_any_size(
    world: World, plant: Plant, options: dict[str, Any]
) -> None:
    plant(world)
    reports = []
    for most in (1_000, 2, 1):
        with _batches_of(most):
            reports.append(world.audit(**options))

    assert not reports[0].clean
    assert reports[1] == reports[0]
    assert reports[2] == reports[0]


@pytest.mark.parametrize("most", [1_000, 4, 1])
def test_given_two_events_at_the_position_of_one_record_then_the_other_is_found(
    world: World, most: int
) -> None:
    """Whether the record that the event is in was read in the same batch or in an earlier one."""
    event_id, _ = world.send(ALPHA, given.miss(days_ago=6))
    kept, place = world.send(ALPHA, given.miss(days_ago=7))
    world.sql('UPDATE case_event SET "offset" = %s WHERE event_id = %s', place.offset, event_id)

    with _batches_of(most):
        found = _in_log(world)

    assert found == [(str(place), f"event {event_id} is not at this position")]
    assert event_id != kept


@pytest.mark.parametrize("most", [1_000, 1])
def test_given_two_sources_use_an_id_then_each_event_is_at_its_own_record(
    world: World, most: int
) -> None:
    event_id, place = world.send(ALPHA, given.miss(days_ago=6))
    other = _with_another_source(world, event_id)
    with _batches_of(most):
        assert _in_log(world) == []

    world.sql(
        'UPDATE case_event SET "offset" = %s WHERE event_id = %s AND source = %s',
        *(place.offset, event_id, "/be/fedasil"),
    )
    with _batches_of(most):
        assert _in_log(world) == [(str(place), f"event {event_id} is not at this position")]
    assert other != place


def test_given_records_of_a_large_batch_in_several_batches_then_their_bytes_are_added_up(
    world: World,
) -> None:
    places = [world.log.put(MISSES, b"k", bytes(900_000), (), commit=True) for _ in range(10)]
    world.sql(
        'INSERT INTO input_gap (topic, "partition", first_offset, next_offset, reason, '
        "resolved_at) VALUES (%s, 0, %s, %s, 'too_large', %s)",
        *(MISSES, places[0].offset, places[-1].offset + 1, given.NOW),
    )

    with _batches_of(3):
        assert _in_log(world) == []


def test_given_a_row_published_twice_then_it_is_counted_across_batches(world: World) -> None:
    place = world.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    world.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    record = world.log.record(place)
    for partition in (0, 1):
        world.log.put(place.topic, record.key, record.value, record.headers, partition=partition)

    for most in (1_000, 1):
        with _batches_of(most):
            report = world.audit()
        assert report.findings == ()
        assert report.counts["outbox.repeated"] == 1 + 2


def test_given_acknowledged_ids_in_several_batches_then_every_unknown_one_is_found(
    world: World,
) -> None:
    stored = [fact.event_id for fact in world.facts[ALPHA] + world.facts[BETA]]
    unknown = [UUID(int=number) for number in (1, 2, 3)]
    produced = [unknown[0], *stored[:2], unknown[1], *stored[2:], unknown[2]]

    with _batches_of(3):
        report = world.audit(produced=iter(produced))

    assert [f.reference for f in report.findings] == [str(event_id) for event_id in unknown]
    (check,) = (check for check in report.checks if check.name == "producer")
    assert check.compared == len(produced)


def test_given_a_topic_that_was_made_again_then_its_former_records_are_not_missed(
    world: World,
) -> None:
    """Events and dead letters of the former topic have the positions of present records."""
    partition = Partition(MISSES, 0)
    former = world.log.ends[partition]
    world.sql("UPDATE case_event SET recorded_at = %s WHERE topic = %s", given.ago(3), MISSES)
    world.sql("UPDATE dead_letter SET recorded_at = %s WHERE topic = %s", given.ago(3), MISSES)
    world.log.stored[partition].clear()
    world.log.ends[partition] = 0
    for _ in range(former - 1):
        event_id, _ = world.send(ALPHA, given.miss(days_ago=6))
        world.sql(
            "UPDATE case_event SET recorded_at = %s WHERE event_id = %s", given.ago(1), event_id
        )
    assert _in_log(world) != []

    world.sql(
        'INSERT INTO input_position (topic, "partition", next_offset, topic_since) '
        "VALUES (%s, 0, 0, %s)",
        *(MISSES, given.ago(2)),
    )
    assert _in_log(world) == []


def test_records_are_in_batches_of_bounded_number_and_size() -> None:
    def record(offset: int, size: int) -> LogRecord:
        return LogRecord(LogPosition(MISSES, 0, offset), b"k", bytes(size), ())

    records = [record(offset, 3_000_000 if offset < 3 else 10) for offset in range(2_000)]

    found = list(record_batches(records))

    assert [record for batch in found for record in batch] == records
    assert [len(batch) for batch in found] == [2, 1_000, 998]


def test_marks_are_kept_for_any_position() -> None:
    numbers, bits = Numbers(), Bits()
    positions = [-(2**40), -257, -1, 0, 1, 63, 64, 255, 256, 2**62]
    for position in positions[::2]:
        numbers[position] = 2**64 - 1
        bits.add(position)

    assert [numbers[position] != 0 for position in positions] == [True, False] * 5
    assert [position in bits for position in positions] == [True, False] * 5
    with pytest.raises(OverflowError):
        numbers[0] = 2**64


def test_a_record_is_seen_as_the_event_that_it_is() -> None:
    seen, place = SeenRecords(), LogPosition(MISSES, 0, 7)
    first, second = uuid4().bytes, uuid4().bytes

    assert not seen.has_record(place)
    seen.add(place)
    assert seen.has_record(place)
    assert not seen.has_event(place, first, "/a")
    seen.add_event(place, first, "/a")
    seen.add(place)  # read again
    assert seen.has_record(place)
    assert seen.has_event(place, first, "/a")
    assert not seen.has_event(place, first, "/b")
    assert not seen.has_event(place, second, "/a")
    assert not seen.has_record(place._replace(partition=1))


@contextmanager
def _batches_of(most: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "_MOST", most)
        yield


def _in_log(world: World) -> list[tuple[str, str]]:
    return [(f.reference, f.detail) for f in world.audit().findings if f.check == "log"]


def _with_another_source(world: World, event_id: UUID) -> LogPosition:
    record = encode(
        given.miss(days_ago=5),
        event_id=event_id,
        case_id=BETA,
        source="/be/fedasil",
        time=given.ago(4),
    )
    place = world.produce(record)
    world.store(record, place)
    return place
