"""Broken promises, one a function: each takes a clean world and breaks one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from schemas.codec import encode
from schemas.outcomes import CASE_ROUTED_TOPIC, ESCALATION_TOPIC, GuardState
from schemas.types import Guard
from streams.audit.log import Partition
from tests.audit import say
from tests.audit.world import ALPHA, BETA, GAMMA, POLICY, POLICY_DIGEST, RULE, World, evidence

NATIONAL_NUMBER = "85073003328"

Plant = Callable[[World], object]
PLANTED: list[tuple[Plant, set[str], dict[str, Any]]] = []


def breaks(*checks: str, **options: Any) -> Callable[[Plant], Plant]:
    """Register a violation, the checks that must find it, and how the audit is asked."""

    def register(plant: Plant) -> Plant:
        PLANTED.append((plant, set(checks), options))
        return plant

    return register


@breaks("log", "offsets")
def a_good_record_is_committed_and_lost(world: World) -> None:
    world.tell(ALPHA, say.miss(days_ago=1), apply=False)


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
    world.sql('UPDATE case_event SET "offset" = 9999 WHERE event_id = %s', _basis(world))


@breaks("log")
def a_stored_payload_was_altered(world: World) -> None:
    superseded = min(f.event_id for f in world.said[ALPHA] if f.time == say.ago(9))
    altered = say.miss(days_ago=13).model_dump_json()
    world.sql("UPDATE case_event SET payload = %s::json WHERE event_id = %s", altered, superseded)


@breaks("log")
def a_good_record_is_set_aside(world: World) -> None:
    _, place = world.tell(ALPHA, say.miss(days_ago=1), apply=False)
    world.set_aside(place, "schema", resolution="discarded")


@breaks("log")
def a_duplicate_is_set_aside_as_a_reused_id(world: World) -> None:
    record = world.log.record(_place(world, world.said[ALPHA][0].event_id))
    place = world.log.put(record.place.topic, record.key, record.value, record.headers, commit=True)
    world.set_aside(place, "id_reused", resolution="discarded")


@breaks("log")
def a_dead_letter_is_called_replayed_and_is_not_in_the_log(world: World) -> None:
    _, place = world.tell(ALPHA, say.miss(days_ago=1), apply=False)
    world.set_aside(place, "bug", resolution="replayed")


@breaks("log")
def a_dead_letter_that_cannot_be_read_is_called_replayed(world: World) -> None:
    world.sql(
        "UPDATE dead_letter SET resolution = 'replayed', resolved_at = now() "
        "WHERE reason = 'undecodable'"
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
    record = world.log.record(_place(world, world.said[ALPHA][0].event_id))
    world.log.put(record.place.topic, record.key, record.value, record.headers)


@breaks("offsets")
def a_committed_offset_lies_past_the_end(world: World) -> None:
    world.log.offsets[Partition("icam.oqt-issued.v1", 0)] += 1


@breaks("fold")
def a_projection_digest_is_of_another_fold(world: World) -> None:
    world.sql("UPDATE case_projection SET digest = sha256('x') WHERE case_id = %s", BETA)


@breaks("fold")
def a_projection_misses_a_fact(world: World) -> None:
    _facts(world, "SELECT json_agg(f) FROM (SELECT f FROM json_array_elements(facts) f OFFSET 1) g")


@breaks("fold")
def a_projection_shows_a_fact_otherwise(world: World) -> None:
    _facts(world, """SELECT replace(facts::text, '"9000"', '"1000"')::json""")


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


@breaks("escalations")
def an_escalation_rests_on_an_event_that_is_not_there(world: World) -> None:
    _rest_on(world, uuid4())


@breaks("escalations")
def an_escalation_rests_on_an_event_of_another_case(world: World) -> None:
    _rest_on(world, world.said[BETA][0].event_id)


@breaks("escalations")
def an_escalation_rests_on_other_events_than_its_evidence(world: World) -> None:
    other = world.said[ALPHA][1].event_id
    world.sql("UPDATE escalation SET event_ids = %s WHERE withdrawn_at IS NULL", [other])


@breaks("escalations")
def an_escalation_is_not_named_after_its_occasion(world: World) -> None:
    world.sql("UPDATE escalation SET occasion = 'O-1001/miss/A-0002' WHERE withdrawn_at IS NULL")


@breaks("escalations")
def an_escalation_names_a_policy_that_is_not_kept(world: World) -> None:
    world.sql("UPDATE escalation SET policy_digest = %s WHERE withdrawn_at IS NULL", "0" * 64)


@breaks("escalations")
def a_policy_was_altered(world: World) -> None:
    altered = f"{POLICY}# less strict\n"
    world.sql("UPDATE reference_table SET body = %s WHERE digest = %s", altered, POLICY_DIGEST)


@breaks("escalations")
def an_escalation_skips_a_round(world: World) -> None:
    world.escalate(BETA, {1: False, 3: False})


@breaks("escalations")
def a_round_stands_although_a_later_one_ended(world: World) -> None:
    world.escalate(BETA, {1: True, 2: False})


@breaks("escalations")
def one_rule_stands_twice_on_a_case(world: World) -> None:
    world.escalate(ALPHA, {1: True}, occasion="O-1001/miss/A-0009")


@breaks("escalations")
def a_case_shows_a_lower_level_than_what_stands(world: World) -> None:
    world.sql("UPDATE case_projection SET level = 0 WHERE case_id = %s", ALPHA)


@breaks("escalations")
def a_case_shows_a_level_although_nothing_stands(world: World) -> None:
    world.sql("UPDATE case_projection SET level = 2 WHERE case_id = %s", BETA)


@breaks("guards")
def an_escalation_stands_on_a_case_with_an_open_dead_letter(world: World) -> None:
    world.sql("UPDATE dead_letter SET case_ids = %s WHERE reason = 'undecodable'", [ALPHA, GAMMA])


@breaks("guards")
def an_escalation_stands_with_a_guard_unknown(world: World) -> None:
    _read_as(world, {Guard.IDENTITY_DOUBT: GuardState.UNKNOWN})


@breaks("guards")
def an_escalation_stands_with_no_guard_read(world: World) -> None:
    world.sql(
        "UPDATE escalation SET evidence = jsonb_set(evidence::jsonb, '{guards}', '[]')::json"
        " WHERE withdrawn_at IS NULL"
    )


@breaks("guards")
def an_escalation_waives_what_its_rule_does_not(world: World) -> None:
    _read_as(world, {Guard.IDENTITY_DOUBT: GuardState.WAIVED})


@breaks("guards")
def an_escalation_stands_while_a_circumstance_lasts(world: World) -> None:
    world.tell(ALPHA, say.begins(Guard.IDENTITY_DOUBT))


@breaks("guards")
def an_escalation_stands_after_a_circumstance_that_ends_before_it_begins(world: World) -> None:
    world.tell(ALPHA, say.begins(Guard.IDENTITY_DOUBT, days_ago=10))
    world.tell(ALPHA, say.ends(Guard.IDENTITY_DOUBT, days_ago=11))


@breaks("guards")
def an_escalation_stands_on_an_unaccompanied_minor(world: World) -> None:
    world.tell("case-minor1", say.minor())
    world.escalate("case-minor1", {1: True})


@breaks("guards")
def an_escalation_stands_on_a_notification_not_proven(world: World) -> None:
    world.tell("case-unproven", say.order(proven=False))
    world.escalate("case-unproven", {1: True})


@breaks("outbox")
def a_published_row_is_not_on_its_topic(world: World) -> None:
    place = world.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    world.log.remove(place)


@breaks("outbox")
def a_record_on_an_output_topic_is_no_outbox_row(world: World) -> None:
    world.log.put(ESCALATION_TOPIC, ALPHA.encode(), b"{}", [("ce_id", str(uuid4()).encode())])


@breaks("outbox")
def a_record_on_an_output_topic_has_no_id(world: World) -> None:
    world.log.put(ESCALATION_TOPIC, ALPHA.encode(), b"{}", ())


@breaks("outbox")
def a_row_was_published_with_another_body(world: World) -> None:
    _republish(world, value=b'{ "kind":"routed"}')


@breaks("outbox")
def a_row_was_published_under_another_key(world: World) -> None:
    _republish(world, key=BETA.encode())


@breaks("outbox")
def a_later_row_of_a_case_overtook_an_earlier_one(world: World) -> None:
    places = [world.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC) for _ in range(2)]
    held = world.log.held[Partition(CASE_ROUTED_TOPIC, 0)]
    first, second = (held[place.offset] for place in places)
    held[places[0].offset] = replace(second, place=places[0])
    held[places[1].offset] = replace(first, place=places[1])


@breaks("outbox")
def a_round_was_never_announced(world: World) -> None:
    _unsay(world, "raised")


@breaks("outbox")
def a_withdrawal_was_never_announced(world: World) -> None:
    _unsay(world, "withdrawn")


@breaks("outbox")
def an_escalation_is_announced_that_is_not_in_the_ledger(world: World) -> None:
    world.announce(ALPHA, uuid4(), "raised")


@breaks("outbox", drained=True)
def a_row_waits_when_all_is_said_to_be_published(world: World) -> None:
    world.sql("UPDATE outbox SET published_at = NULL WHERE position = 1")


@breaks("deadlines")
def a_deadline_passed_unfired(world: World) -> None:
    world.sql(
        "UPDATE case_projection SET next_check_at = now() - interval '10 minutes' "
        "WHERE case_id = %s",
        BETA,
    )


@breaks("personal data")
def a_dead_letter_detail_repeats_a_national_number(world: World) -> None:
    detail = f"value {NATIONAL_NUMBER} is not an office"
    world.sql("UPDATE dead_letter SET detail = %s WHERE reason = 'undecodable'", detail)


@breaks("personal data")
def an_outbox_header_holds_a_national_number(world: World) -> None:
    headers = f'[["ce_subject", "case-{NATIONAL_NUMBER}"]]'
    world.sql("UPDATE outbox SET headers = %s::json WHERE position = 1", headers)


@breaks("producer", produced=[UUID(int=7)])
def an_acknowledged_event_is_nowhere(world: World) -> None:
    """The clean world never held it."""


def _basis(world: World) -> UUID:
    return world.said[ALPHA][0].event_id


def _place(world: World, event_id: UUID) -> Any:
    wanted = str(event_id).encode()
    for held in world.log.held.values():
        for record in held.values():
            if ("ce_id", wanted) in record.headers:
                return record.place
    raise LookupError(event_id)


def _facts(world: World, query: Any) -> None:
    world.sql(f"UPDATE case_projection SET facts = ({query}) WHERE case_id = %s", ALPHA)


def _rest_on(world: World, event_id: UUID) -> None:
    world.sql(
        "UPDATE escalation SET event_ids = %s, evidence = %s::json WHERE withdrawn_at IS NULL",
        [event_id],
        evidence([event_id], {}),
    )


def _read_as(world: World, guards: dict[Guard, GuardState]) -> None:
    world.sql(
        "UPDATE escalation SET evidence = %s::json WHERE withdrawn_at IS NULL AND rule_id = %s",
        evidence([_basis(world)], guards),
        RULE,
    )


def _republish(world: World, **changes: Any) -> None:
    place = world.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    held = world.log.held[Partition(place.topic, place.partition)]
    held[place.offset] = replace(held[place.offset], **changes)


def _unsay(world: World, kind: str) -> None:
    removed = world.sql(
        "DELETE FROM outbox WHERE position = (SELECT max(position) FROM outbox "
        "WHERE body->>'kind' = %s) RETURNING message_id",
        kind,
    )
    world.log.remove(_place(world, removed[0][0]))
