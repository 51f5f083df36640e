"""Violations by escalations, guards and deadlines, one per function."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from schemas.codes import Guard
from schemas.outcomes import GuardState
from tests.audit import given
from tests.audit.planting import breaks
from tests.audit.world import ALPHA, BETA, GAMMA, POLICY, POLICY_DIGEST, World, evidence


@breaks("escalations")
def an_escalation_cites_a_missing_event(world: World) -> None:
    _cite(world, uuid4())


@breaks("escalations")
def an_escalation_cites_an_event_of_another_case(world: World) -> None:
    _cite(world, world.facts[BETA][0].event_id)


@breaks("escalations")
def an_escalation_cites_other_events_than_its_evidence(world: World) -> None:
    other = world.facts[ALPHA][1].event_id
    world.sql("UPDATE escalation SET event_ids = %s WHERE withdrawn_at IS NULL", [other])


@breaks("escalations")
def an_escalation_has_the_id_of_another_occasion(world: World) -> None:
    world.sql("UPDATE escalation SET occasion = 'O-1001/miss/A-0002' WHERE withdrawn_at IS NULL")


@breaks("escalations")
def an_escalation_names_a_policy_that_is_not_recorded(world: World) -> None:
    world.sql("UPDATE escalation SET policy_digest = %s WHERE withdrawn_at IS NULL", "0" * 64)


@breaks("escalations")
def an_escalation_is_of_another_level_than_was_announced(world: World) -> None:
    world.sql("UPDATE escalation SET level = 5 WHERE withdrawn_at IS NULL")
    world.sql("UPDATE case_projection SET level = 5 WHERE case_id = %s", ALPHA)


@breaks("escalations")
def an_escalation_is_of_another_office_than_was_announced(world: World) -> None:
    world.sql("UPDATE escalation SET office_id = 'office-liege' WHERE withdrawn_at IS NULL")


@breaks("escalations")
def an_escalation_was_withdrawn_earlier_than_announced(world: World) -> None:
    world.sql(
        "UPDATE escalation SET withdrawn_at = %s WHERE withdrawn_at IS NOT NULL", given.ago(2)
    )


@breaks("escalations")
def a_policy_was_altered(world: World) -> None:
    altered = f"{POLICY}# less strict\n"
    world.sql("UPDATE reference_table SET body = %s WHERE digest = %s", altered, POLICY_DIGEST)


@breaks("escalations")
def an_escalation_was_raised_by_a_policy_that_was_not_in_force(world: World) -> None:
    """Another one had been published long before."""
    digest = "a" * 64
    world.sql("INSERT INTO reference_table VALUES (%s, 'policy', 'other', '')", digest)
    world.sql("ALTER TABLE publication DISABLE TRIGGER publication_stamp")
    world.sql(
        """
        INSERT INTO publication (kind, digest, valid_from, reason, who, login, published_at)
        VALUES ('policy', %s, '2020-01-01', 'x', 'x', 'x', '2020-01-01')
        """,
        digest,
    )


@breaks("escalations")
def an_escalation_skips_a_round(world: World) -> None:
    world.escalate(BETA, {1: False, 3: False})


@breaks("escalations")
def a_round_stands_although_a_later_one_was_withdrawn(world: World) -> None:
    world.escalate(BETA, {1: True, 2: False})


@breaks("escalations")
def two_escalations_of_one_rule_stand_on_a_case(world: World) -> None:
    world.escalate(ALPHA, {1: True}, occasion="O-1001/miss/A-0009")


@breaks("escalations")
def a_projection_has_a_lower_level_than_its_escalation(world: World) -> None:
    world.sql("UPDATE case_projection SET level = 0 WHERE case_id = %s", ALPHA)


@breaks("escalations")
def a_projection_has_a_level_without_an_escalation(world: World) -> None:
    world.sql("UPDATE case_projection SET level = 2 WHERE case_id = %s", BETA)


@breaks("guards")
def an_escalation_stands_on_a_case_with_an_open_dead_letter(world: World) -> None:
    world.sql("UPDATE dead_letter SET case_ids = %s WHERE reason = 'undecodable'", [ALPHA, GAMMA])


@breaks("guards")
def an_escalation_stands_on_a_case_whose_letter_may_report_a_guard_it_heeds(world: World) -> None:
    broken = world.log.put("icam.circumstance-changed.v1", ALPHA.encode(), b"{", (), commit=True)
    world.add_dead_letter(broken, "undecodable", ALPHA)


@breaks("guards")
def an_escalation_stands_with_an_unknown_guard(world: World) -> None:
    _set_guard_states(world, {Guard.IDENTITY_DOUBT: GuardState.UNKNOWN})


@breaks("guards")
def an_escalation_stands_without_guards_in_its_evidence(world: World) -> None:
    basis = [world.facts[ALPHA][0].event_id]
    world.rewrite_evidence(evidence(basis, {}) | {"guards": []})


@breaks("guards")
def an_escalation_waives_a_guard_that_its_rule_does_not(world: World) -> None:
    _set_guard_states(world, {Guard.IDENTITY_DOUBT: GuardState.WAIVED})


@breaks("guards")
def an_escalation_stands_while_a_circumstance_lasts(world: World) -> None:
    world.send(ALPHA, given.begins(Guard.IDENTITY_DOUBT))


@breaks("guards")
def an_escalation_stands_after_a_circumstance_that_ends_before_it_begins(world: World) -> None:
    world.send(ALPHA, given.begins(Guard.IDENTITY_DOUBT, days_ago=10))
    world.send(ALPHA, given.ends(Guard.IDENTITY_DOUBT, days_ago=11))


@breaks("guards")
def an_escalation_stands_on_an_unaccompanied_minor(world: World) -> None:
    world.send("case-minor1", given.minor())
    world.escalate("case-minor1", {1: True})


@breaks("guards")
def an_escalation_stands_on_a_notification_not_proven(world: World) -> None:
    world.send("case-unproven", given.order(proven=False))
    world.escalate("case-unproven", {1: True})


@breaks("deadlines")
def a_deadline_is_overdue(world: World) -> None:
    world.sql(
        "UPDATE case_projection SET next_check_at = %s WHERE case_id = %s",
        *(given.NOW - timedelta(minutes=10), BETA),
    )


def _cite(world: World, event_id: UUID) -> None:
    world.sql("UPDATE escalation SET event_ids = %s WHERE withdrawn_at IS NULL", [event_id])
    world.rewrite_evidence(evidence([event_id], {}))


def _set_guard_states(world: World, guards: dict[Guard, GuardState]) -> None:
    world.rewrite_evidence(evidence([world.facts[ALPHA][0].event_id], guards))
