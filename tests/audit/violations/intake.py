"""Broken promises about what was taken in and folded, one a function."""

from __future__ import annotations

from uuid import UUID

from schemas.codec import encode
from streams.audit.log import Partition
from tests.audit import say
from tests.audit.planting import breaks
from tests.audit.world import ALPHA, BETA, World


@breaks("log", "offsets")
def a_good_record_is_committed_and_lost(world: World) -> None:
    world.tell(ALPHA, say.miss(days_ago=6), apply=False)


@breaks("log", "offsets")
def a_broken_record_is_committed_and_lost(world: World) -> None:
    world.log.put("icam.oqt-issued.v1", b"case-other1", b"[]", (), commit=True)


@breaks("log", "offsets")
def a_changed_record_under_a_used_id_is_taken_for_a_duplicate(world: World) -> None:
    world.produce(
        encode(
            say.miss(days_ago=2),
            event_id=world.said[BETA][0].event_id,
            case_id=BETA,
            source="/test",
            time=say.NOW,
        )
    )


@breaks("log")
def an_event_names_the_place_of_another_record(world: World) -> None:
    world.sql(
        'UPDATE case_event SET "offset" = (SELECT "offset" FROM dead_letter WHERE reason = %s) '
        "WHERE event_id = %s",
        *("undecodable", world.said[ALPHA][0].event_id),
    )


@breaks("log")
def an_event_names_a_place_that_never_was(world: World) -> None:
    world.sql(
        'UPDATE case_event SET "offset" = 9999 WHERE event_id = %s', world.said[ALPHA][0].event_id
    )


@breaks("log")
def a_stored_payload_was_altered(world: World) -> None:
    superseded = min(f.event_id for f in world.said[ALPHA] if f.time == say.ago(9))
    altered = say.miss(days_ago=13).model_dump_json()
    world.sql("UPDATE case_event SET payload = %s::json WHERE event_id = %s", altered, superseded)


@breaks("log")
def a_good_record_is_set_aside(world: World) -> None:
    _, place = world.tell(ALPHA, say.miss(days_ago=6), apply=False)
    world.set_aside(place, "schema")


@breaks("log")
def a_duplicate_is_set_aside_as_a_reused_id(world: World) -> None:
    record = world.log.record(world.place_of(world.said[ALPHA][0].event_id))
    place = world.log.put(record.place.topic, record.key, record.value, record.headers, commit=True)
    world.set_aside(place, "id_reused", resolution="discarded")


@breaks("log")
def a_dead_letter_is_called_replayed_and_is_not_in_the_log(world: World) -> None:
    _, place = world.tell(ALPHA, say.miss(days_ago=6), apply=False)
    world.set_aside(place, "bug", resolution="replayed")


@breaks("log")
def a_dead_letter_that_cannot_be_read_is_called_replayed(world: World) -> None:
    world.sql(
        "UPDATE dead_letter SET resolution = 'replayed', resolved_at = %s "
        "WHERE reason = 'undecodable'",
        say.NOW,
    )


@breaks("log")
def a_dead_letter_is_not_kept_whole(world: World) -> None:
    world.sql("UPDATE dead_letter SET value = '' WHERE reason = 'undecodable'")


@breaks("log")
def a_dead_letter_names_a_place_without_a_record(world: World) -> None:
    world.sql(
        'INSERT INTO dead_letter (topic, "partition", "offset", headers, reason, detail, case_ids) '
        "VALUES ('icam.oqt-issued.v1', 1, 7, '[]', 'schema', 'body: missing', '{}')"
    )


@breaks("log", drained=True)
def a_record_is_left_when_all_is_said_to_be_taken_in(world: World) -> None:
    record = world.log.record(world.place_of(world.said[ALPHA][0].event_id))
    world.log.put(record.place.topic, record.key, record.value, record.headers)


@breaks("offsets")
def a_committed_offset_lies_past_the_end(world: World) -> None:
    world.log.offsets[Partition("icam.oqt-issued.v1", 0)] += 1


@breaks("fold")
def a_projection_digest_is_of_another_fold(world: World) -> None:
    world.sql("UPDATE case_projection SET digest = sha256('x') WHERE case_id = %s", BETA)


@breaks("fold")
def a_projection_holds_the_older_version_of_a_fact(world: World) -> None:
    older, newer = sorted((f for f in world.said[ALPHA] if "miss" in f.key), key=lambda f: f.time)
    world.said[ALPHA].remove(newer)
    world.project(ALPHA)
    world.sql("UPDATE case_projection SET events = events + 1 WHERE case_id = %s", ALPHA)
    assert older.time < newer.time


@breaks("fold")
def a_projection_counts_events_wrongly(world: World) -> None:
    world.sql("UPDATE case_projection SET events = events + 1 WHERE case_id = %s", ALPHA)


@breaks("fold")
def a_projection_follows_a_superseded_order(world: World) -> None:
    world.sql("UPDATE case_projection SET order_id = 'O-2001' WHERE case_id = %s", BETA)


@breaks("fold")
def a_case_in_the_log_has_no_projection(world: World) -> None:
    world.sql("DELETE FROM case_projection WHERE case_id = %s", BETA)


@breaks("fold")
def a_case_is_projected_from_nothing(world: World) -> None:
    world.project("case-nobody1")


@breaks("producer", produced=[UUID(int=7)])
def an_acknowledged_event_is_nowhere(world: World) -> None:
    """The clean world never held it."""
