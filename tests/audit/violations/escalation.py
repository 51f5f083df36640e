"""Broken promises about what stands, one a function."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from schemas.outcomes import GuardState
from schemas.types import Guard
from tests.audit import say
from tests.audit.planting import breaks
from tests.audit.world import ALPHA, BETA, GAMMA, POLICY, POLICY_DIGEST, World, evidence


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
    basis = [world.said[ALPHA][0].event_id]
    world.rewrite_evidence(evidence(basis, {}) | {"guards": []})


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


@breaks("deadlines")
def a_deadline_passed_unfired(world: World) -> None:
    world.sql(
        "UPDATE case_projection SET next_check_at = %s WHERE case_id = %s",
        *(say.NOW - timedelta(minutes=10), BETA),
    )


def _rest_on(world: World, event_id: UUID) -> None:
    world.sql("UPDATE escalation SET event_ids = %s WHERE withdrawn_at IS NULL", [event_id])
    world.rewrite_evidence(evidence([event_id], {}))


def _read_as(world: World, guards: dict[Guard, GuardState]) -> None:
    world.rewrite_evidence(evidence([world.said[ALPHA][0].event_id], guards))
