"""Violations in the log, committed offsets and projections, one per function."""

from __future__ import annotations

from uuid import UUID

from schemas.codec import encode
from streams.audit.log import Partition
from tests.audit import given
from tests.audit.planting import breaks
from tests.audit.world import ALPHA, BETA, World


@breaks("log")
def a_small_record_was_passed_over_as_too_large(world: World) -> None:
    place = world.log.put("icam.oqt-issued.v1", b"case-small-1", b"{", (), commit=True)
    world.sql(
        'INSERT INTO input_gap (topic, "partition", first_offset, next_offset, reason, '
        "resolved_at) VALUES (%s, %s, %s, %s, 'too_large', %s)",
        *(place.topic, place.partition, place.offset, place.offset + 1, given.ago(1)),
    )


@breaks("log", "offsets")
def a_valid_record_is_committed_and_lost(world: World) -> None:
    world.send(ALPHA, given.miss(days_ago=6), apply=False)


@breaks("log", "offsets")
def an_invalid_record_is_committed_and_lost(world: World) -> None:
    world.log.put("icam.oqt-issued.v1", b"case-other1", b"[]", (), commit=True)


@breaks("log", "offsets")
def a_changed_record_with_a_used_id_is_treated_as_a_duplicate(world: World) -> None:
    world.produce(
        encode(
            given.miss(days_ago=2),
            event_id=world.facts[BETA][0].event_id,
            case_id=BETA,
            source="/test",
            time=given.NOW,
        )
    )


@breaks("log")
def an_event_names_the_position_of_another_record(world: World) -> None:
    world.sql(
        'UPDATE case_event SET "offset" = (SELECT "offset" FROM dead_letter WHERE reason = %s) '
        "WHERE event_id = %s",
        *("undecodable", world.facts[ALPHA][0].event_id),
    )


@breaks("log")
def an_event_names_a_position_without_a_record(world: World) -> None:
    world.sql(
        'UPDATE case_event SET "offset" = 9999 WHERE event_id = %s', world.facts[ALPHA][0].event_id
    )


@breaks("log")
def a_stored_payload_was_altered(world: World) -> None:
    superseded = min(f.event_id for f in world.facts[ALPHA] if f.time == given.ago(9))
    altered = given.miss(days_ago=13).to_json().decode()
    world.sql("UPDATE case_event SET payload = %s::json WHERE event_id = %s", altered, superseded)


@breaks("log")
def a_valid_record_is_a_dead_letter(world: World) -> None:
    _, place = world.send(ALPHA, given.miss(days_ago=6), apply=False)
    world.add_dead_letter(place, "schema")


@breaks("log")
def a_duplicate_is_a_dead_letter_for_a_reused_id(world: World) -> None:
    record = world.log.record(world.place_of(world.facts[ALPHA][0].event_id))
    place = world.log.put(record.place.topic, record.key, record.value, record.headers, commit=True)
    world.add_dead_letter(place, "id_reused", resolution="discarded")


@breaks("log")
def a_dead_letter_for_a_time_ahead_has_none(world: World) -> None:
    _, place = world.send(ALPHA, given.miss(days_ago=6), apply=False)
    world.add_dead_letter(place, "ahead", resolution="discarded")


@breaks("log")
def a_replayed_dead_letter_is_not_in_the_log(world: World) -> None:
    _, place = world.send(ALPHA, given.miss(days_ago=6), apply=False)
    world.add_dead_letter(place, "bug", resolution="replayed")


@breaks("log")
def an_undecodable_dead_letter_is_marked_replayed(world: World) -> None:
    world.sql(
        "UPDATE dead_letter SET resolution = 'replayed', resolved_at = %s "
        "WHERE reason = 'undecodable'",
        given.NOW,
    )


@breaks("log")
def a_dead_letter_has_another_value_than_its_record(world: World) -> None:
    world.sql("UPDATE dead_letter SET value = '' WHERE reason = 'undecodable'")


@breaks("log")
def a_dead_letter_names_a_position_without_a_record(world: World) -> None:
    world.sql(
        'INSERT INTO dead_letter (topic, "partition", "offset", headers, reason, detail, case_ids) '
        "VALUES ('icam.oqt-issued.v1', 1, 7, '[]', 'schema', 'body: missing', '{}')"
    )


@breaks("log", drained=True)
def a_record_is_not_committed_although_all_should_be(world: World) -> None:
    record = world.log.record(world.place_of(world.facts[ALPHA][0].event_id))
    world.log.put(record.place.topic, record.key, record.value, record.headers)


@breaks("offsets")
def a_committed_offset_lies_past_the_end(world: World) -> None:
    world.log.offsets[Partition("icam.oqt-issued.v1", 0)] += 1


@breaks("fold")
def a_projection_has_the_digest_of_another_fold(world: World) -> None:
    world.sql("UPDATE case_projection SET digest = sha256('x') WHERE case_id = %s", BETA)


@breaks("fold")
def a_projection_has_the_older_version_of_a_fact(world: World) -> None:
    older, newer = sorted((f for f in world.facts[ALPHA] if "miss" in f.key), key=lambda f: f.time)
    world.facts[ALPHA].remove(newer)
    world.project(ALPHA)
    world.sql("UPDATE case_projection SET events = events + 1 WHERE case_id = %s", ALPHA)
    assert older.time < newer.time


@breaks("fold")
def a_projection_counts_events_wrongly(world: World) -> None:
    world.sql("UPDATE case_projection SET events = events + 1 WHERE case_id = %s", ALPHA)


@breaks("fold")
def a_projection_has_a_superseded_order(world: World) -> None:
    world.sql("UPDATE case_projection SET order_id = 'O-2001' WHERE case_id = %s", BETA)


@breaks("fold")
def a_case_in_the_log_has_no_projection(world: World) -> None:
    world.sql("DELETE FROM case_projection WHERE case_id = %s", BETA)


@breaks("fold")
def a_projection_has_no_event_and_no_dead_letter(world: World) -> None:
    world.project("case-empty01")


@breaks("producer", produced=[UUID(int=7)])
def an_acknowledged_event_is_not_stored(world: World) -> None:
    """The clean world does not contain this event."""
