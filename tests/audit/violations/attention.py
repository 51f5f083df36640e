"""Violations by cases without attention, or ended cases with it, one per function."""

from __future__ import annotations

from datetime import timedelta

from schemas import canary
from schemas.codes import Guard
from schemas.events import Answer, FollowUpState
from tests.audit import given
from tests.audit.planting import breaks
from tests.audit.world import ALPHA, BETA, World, evidence


@breaks("attention")
def an_open_case_has_no_next_date(world: World) -> None:
    world.sql("UPDATE case_projection SET next_check_at = NULL WHERE case_id = %s", BETA)


@breaks("attention")
def a_next_date_has_no_reason(world: World) -> None:
    world.sql("UPDATE case_projection SET next_reason = '' WHERE case_id = %s", BETA)


@breaks("attention")
def an_open_case_has_no_owner(world: World) -> None:
    world.sql("UPDATE case_projection SET owner = NULL WHERE case_id = %s", BETA)


@breaks("attention")
def an_open_case_has_no_office(world: World) -> None:
    world.sql("UPDATE case_projection SET office_id = NULL WHERE case_id = %s", BETA)


@breaks("attention")
def a_next_date_is_beyond_the_longest_pause(world: World) -> None:
    late = given.NOW + timedelta(days=60, seconds=1)
    world.sql("UPDATE case_projection SET next_check_at = %s WHERE case_id = %s", late, BETA)


@breaks("attention")
def a_blocked_case_has_its_next_date_after_the_day_to_decide(world: World) -> None:
    broken = world.log.put("icam.oqt-issued.v1", BETA.encode(), b"{", (), commit=True)
    world.add_dead_letter(broken, "undecodable", BETA)
    late = given.NOW + timedelta(days=8)
    world.sql("UPDATE case_projection SET next_check_at = %s WHERE case_id = %s", late, BETA)


@breaks("attention")
def a_case_was_never_decided(world: World) -> None:
    world.send("case-delta01", given.begins(Guard.IDENTITY_DOUBT))
    world.sql("UPDATE case_projection SET updated_at = NULL WHERE case_id = 'case-delta01'")


@breaks("attention")
def a_case_is_silent_for_longer_than_the_longest_pause(world: World) -> None:
    _silence(world, BETA, days=60.1)


@breaks("attention", "escalations")
def an_escalated_case_is_silent_for_longer_than_the_longest_pause(world: World) -> None:
    _silence(world, ALPHA, days=60.1)
    world.sql("UPDATE escalation SET raised_at = %s", given.ago(60.1))


@breaks("attention")
def an_ended_case_has_a_next_date(world: World) -> None:
    world.send(BETA, given.ended())
    world.sql(
        "UPDATE case_projection SET next_check_at = %s WHERE case_id = %s", given.ago(-3), BETA
    )


@breaks("attention")
def an_escalation_stands_on_an_ended_case(world: World) -> None:
    world.send(ALPHA, given.ended())


@breaks("attention")
def an_escalation_stands_on_a_case_whose_current_order_ended(world: World) -> None:
    world.send(ALPHA, given.ended("O-1001"))


@breaks("attention")
def a_projection_has_ended_although_no_event_says_so(world: World) -> None:
    world.set_ended(BETA, True)


@breaks("attention")
def a_projection_has_not_ended_although_an_event_says_so(world: World) -> None:
    world.send(BETA, given.ended())
    world.set_ended(BETA, False)


@breaks("attention")
def a_projection_has_ended_although_a_later_version_reopened_the_case(world: World) -> None:
    world.send(BETA, given.ended(), time=given.ago(3))
    world.send(BETA, given.ended(state=FollowUpState.REOPENED), time=given.ago(2))
    world.set_ended(BETA, True)


@breaks("attention")
def an_escalation_stands_although_it_was_done(world: World) -> None:
    _answer(world, Answer.DONE)


@breaks("attention")
def an_escalation_stands_although_it_does_not_apply(world: World) -> None:
    _answer(world, Answer.NOT_APPLICABLE)


@breaks("guards")
def an_escalation_stands_although_a_required_guard_was_not_reported(world: World) -> None:
    basis = [world.facts[ALPHA][0].event_id]
    unreported = [Guard.NON_REFOULEMENT_CHECK_MISSING]
    world.rewrite_evidence(evidence(basis, {}, unreported))


@breaks("guards")
def an_escalation_stands_after_a_procedure_without_a_decision(world: World) -> None:
    world.send(ALPHA, given.ends(Guard.ASYLUM_REQUEST_PENDING, outcome=None), time=given.ago(4))


def _silence(world: World, case_id: str, days: float) -> None:
    world.sql("UPDATE case_event SET recorded_at = %s WHERE case_id = %s", given.ago(days), case_id)


def _answer(world: World, answer: Answer) -> None:
    (standing,) = world.sql("SELECT escalation_id FROM escalation WHERE withdrawn_at IS NULL")
    world.send(ALPHA, given.answered(standing[0], answer))


@breaks("attention", "log", "offsets")
def a_person_has_a_case_id_of_the_canary(world: World) -> None:
    world.send("canary-20260302", given.order(), source=canary.SOURCE)
    world.sql("UPDATE case_event SET source = '/test' WHERE case_id = 'canary-20260302'")
