"""Violations in the outbox, on output topics and in personal data, one per function."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from schemas.outcomes import CASE_ROUTED_TOPIC, CASE_STATE_TOPIC, ESCALATION_TOPIC
from streams.audit.log import Partition
from tests.audit import given
from tests.audit.planting import breaks
from tests.audit.world import ALPHA, BETA, World

NATIONAL_NUMBER = "85073003328"


@breaks("outbox")
def a_published_row_is_not_on_its_topic(world: World) -> None:
    place = world.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    world.log.remove(place)


@breaks("outbox")
def a_record_on_an_output_topic_has_no_outbox_row(world: World) -> None:
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
    records = world.log.stored[Partition(CASE_ROUTED_TOPIC, 0)]
    first, second = (records[place.offset] for place in places)
    records[places[0].offset] = replace(second, place=places[0])
    records[places[1].offset] = replace(first, place=places[1])


@breaks("outbox")
def a_pending_row_does_not_exist(world: World) -> None:
    world.sql("INSERT INTO outbox_pending VALUES (1000000)")


@breaks("outbox", "escalations", "guards")
def a_round_was_never_announced(world: World) -> None:
    _remove_announcement(world, "raised")


@breaks("outbox")
def a_withdrawal_was_never_announced(world: World) -> None:
    _remove_announcement(world, "withdrawn")


@breaks("outbox")
def an_escalation_is_announced_that_is_not_in_the_ledger(world: World) -> None:
    world.announce(ALPHA, uuid4(), "raised")


@breaks("outbox", drained=True)
def a_row_is_pending_although_all_should_be_published(world: World) -> None:
    world.sql("INSERT INTO outbox_pending VALUES (1)")


@breaks("outbox")
def an_end_was_never_announced(world: World) -> None:
    world.send(BETA, given.ended())
    world.sql("DELETE FROM outbox WHERE topic = %s", CASE_STATE_TOPIC)
    world.log.stored[Partition(CASE_STATE_TOPIC, 0)].clear()
    world.sql("UPDATE case_projection SET endings = 0 WHERE case_id = %s", BETA)


@breaks("outbox")
def an_end_was_announced_twice(world: World) -> None:
    world.send(BETA, given.ended())
    world.announce(BETA, uuid4(), "ended", CASE_STATE_TOPIC)


@breaks("outbox")
def a_projection_counts_ends_wrongly(world: World) -> None:
    world.send(BETA, given.ended())
    world.sql("UPDATE case_projection SET endings = 3 WHERE case_id = %s", BETA)


@breaks("personal data")
def a_dead_letter_detail_repeats_a_national_number(world: World) -> None:
    detail = f"value {NATIONAL_NUMBER} is not an office"
    world.sql("UPDATE dead_letter SET detail = %s WHERE reason = 'undecodable'", detail)


@breaks("personal data")
def an_outbox_header_holds_a_national_number(world: World) -> None:
    headers = f'[["ce_subject", "case-{NATIONAL_NUMBER}"]]'
    world.sql("UPDATE outbox SET headers = %s::json WHERE position = 1", headers)


CANARY = "Jeanne Canari"


@breaks("personal data", canaries=[CANARY])
def a_dead_letter_detail_repeats_a_canary(world: World) -> None:
    detail = f"value {CANARY} is not an office"
    world.sql("UPDATE dead_letter SET detail = %s WHERE reason = 'undecodable'", detail)


@breaks("outbox", "personal data", canaries=[CANARY])
def an_announcement_repeats_a_canary(world: World) -> None:
    body = f'{{"reason": "{CANARY}"}}'
    world.sql("UPDATE outbox SET body = %s::json WHERE position = 1", body)


@breaks("personal data", canaries=[CANARY], texts={"worker.log": f"fine\nrefused {CANARY}\n"})
def a_log_line_repeats_a_canary(world: World) -> None:
    """The violation is the text in ``texts``."""


@breaks("personal data", texts={"metrics": f'records{{topic="{NATIONAL_NUMBER}"}} 1'})
def a_metric_is_labelled_with_a_national_number(world: World) -> None:
    """The violation is the text in ``texts``."""


def _republish(world: World, **changes: Any) -> None:
    place = world.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    records = world.log.stored[Partition(place.topic, place.partition)]
    records[place.offset] = replace(records[place.offset], **changes)


def _remove_announcement(world: World, kind: str) -> None:
    removed = world.sql(
        "DELETE FROM outbox WHERE position = (SELECT max(position) FROM outbox "
        "WHERE body->>'kind' = %s) RETURNING message_id",
        kind,
    )
    world.log.remove(world.place_of(removed[0][0]))
