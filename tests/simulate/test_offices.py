"""How an office answers a proposal: what it reports, and what it does not do twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.codes import Guard
from schemas.events import (
    Answer,
    AnswererRole,
    AnswerReason,
    AppointmentMissed,
    AppointmentPlanned,
    AppointmentState,
    CircumstanceChanged,
    CircumstanceOutcome,
    CircumstanceState,
    EndReason,
    Event,
    FollowUpEnded,
    HouseholdKind,
    InterviewCompleted,
    Lodging,
    OqtIssued,
    ProposalAnswered,
    ReviewDecision,
)
from schemas.outcomes import Action, EscalationRaised, Evidence, Track
from streams.simulate import days, orders
from streams.simulate.dice import Dice, Weighted
from streams.simulate.event import APPOINTMENTS, SimulatedEvent, World
from streams.simulate.figures import Answering, Ending, Figures
from streams.simulate.history import History
from streams.simulate.loading import published_figures
from streams.simulate.year import offices
from streams.simulate.year.file import CaseFile

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FIGURES = published_figures()


def answering(**changes: Any) -> Figures:
    """Return the published figures with other shares of answers."""
    certain: Answering = replace(FIGURES.answering, **changes)
    return replace(FIGURES, answering=certain)


def always(answer: Answer) -> dict[str, Any]:
    return {"answer": Weighted.of([(answer, 1.0)]), "overlooked": 0.0}


def case(figures: Figures, seed: int = 1) -> CaseFile:
    """Return a case with one order for a single person at a known address, already reported."""
    world = World(figures, Dice(seed, "test"))
    while True:
        person = orders.draw_person(world)
        served = orders.serve(world, person, days.local_day(MONDAY), repeat=False)
        order = served.order
        at_home = order.lodging is Lodging.HOME and order.residence_postcode is not None
        single = order.household.kind is HouseholdKind.SINGLE
        if at_home and single and order.first_appointment is None:
            break
    history = History(
        "case-of-one-person", days.local_day(MONDAY), order.notified_at, (), (served,)
    )
    file = CaseFile(history, world)
    record(file, order, served.reported_at)
    return file


def record(file: CaseFile, event: Event, time: datetime) -> SimulatedEvent:
    simulated = SimulatedEvent(time, "/be/test", file.world.dice.uuid(), event)
    file.add(simulated)
    return simulated


def proposal(file: CaseFile, action: Action, occasion: str = "order") -> EscalationRaised:
    order_id = file.orders[0].order.order_id
    return EscalationRaised(
        escalation_id=str(file.world.dice.uuid()),
        round=2,
        case_id=file.case_id,
        order_id=order_id,
        occasion=f"{order_id}/{occasion}" if "/" not in occasion else occasion,
        level=1,
        action=action,
        rule_id="a-rule",
        policy_version="1",
        policy_digest="0" * 64,
        office_id="gent",
        track=Track.INDIVIDUAL,
        due_at=MONDAY,
        detected_at=MONDAY,
        addressed_to=AnswererRole.COACH,
        answer_by=MONDAY + timedelta(days=7),
        evidence=Evidence(event_ids=(), facts=(), clocks=(), guards=(), nearest=None),
    )


def reported(events: tuple[SimulatedEvent, ...], kind: type[Any]) -> list[Any]:
    return [one.event for one in events if isinstance(one.event, kind)]


NOW = MONDAY + timedelta(days=10)


def test_an_office_answers_in_office_hours_on_a_working_day() -> None:
    file = case(answering(overlooked=0.0))
    saturday = datetime(2026, 4, 4, 12, 0, tzinfo=UTC)
    for _ in range(200):
        at = offices.reacts_at(file, proposal(file, Action.REINVITE), saturday)
        assert at is not None
        local = at.astimezone(days.ZONE)
        assert days.is_working(local.date())
        assert 9 <= local.hour < 17
        assert at > saturday


def test_an_overlooked_proposal_is_not_answered() -> None:
    file = case(answering(overlooked=1.0))
    assert offices.reacts_at(file, proposal(file, Action.REINVITE), NOW) is None


@pytest.mark.parametrize("answer", list(Answer))
def test_an_answer_names_the_proposal_its_round_and_the_role(answer: Answer) -> None:
    file = case(answering(**always(answer)))
    raised = proposal(file, Action.REFER_RETURN)

    reaction = offices.react(file, raised, NOW)

    (said,) = reported(reaction.events, ProposalAnswered)
    assert said.answer is answer
    assert (said.escalation_id, said.round) == (raised.escalation_id, raised.round)
    assert said.role is raised.addressed_to
    assert (reaction.done_at is not None) == (answer is Answer.TAKEN_UP)
    assert (said.postponed_until is not None) == (answer is Answer.POSTPONED)


def test_an_invitation_plans_an_appointment_that_is_then_held_or_missed() -> None:
    invited = dict.fromkeys(FIGURES.answering.invited, 1.0)
    for seed in range(30):
        file = case(answering(**always(Answer.DONE), invited=invited), seed)

        events = offices.react(file, proposal(file, Action.GIVE_DATE), NOW).events

        (said,) = reported(events, ProposalAnswered)
        assert said.reason is AnswerReason.PERSON_INVITED
        plans = reported(events, AppointmentPlanned)
        assert plans
        assert plans[0].office_id == "gent"
        assert plans[0].at > NOW
        reports = reported(events, AppointmentMissed) + reported(events, InterviewCompleted)
        cancelled = [plan for plan in plans if plan.state is not AppointmentState.PLANNED]
        assert reports or cancelled


def test_an_office_that_will_invite_by_itself_does_not_plan_twice() -> None:
    invited = dict.fromkeys(FIGURES.answering.invited, 1.0)
    file = case(answering(**always(Answer.DONE), invited=invited))
    first = offices.react(file, proposal(file, Action.GIVE_DATE), NOW).events
    file.coming = {one.event_id: one for one in first}

    again = offices.react(file, proposal(file, Action.REINVITE), NOW).events

    assert reported(again, AppointmentPlanned) == []
    assert [said.reason for said in reported(again, ProposalAnswered)] == [
        AnswerReason.PERSON_INVITED
    ]


def test_who_is_not_reached_may_be_given_up_and_nothing_comes_after() -> None:
    none_invited = dict.fromkeys(FIGURES.answering.invited, 0.0)
    certain = dict.fromkeys(FIGURES.answering.gives_up, 1.0)
    file = case(answering(**always(Answer.DONE), invited=none_invited, gives_up=certain))
    coming = SimulatedEvent(
        NOW + timedelta(days=30), "/be/test", file.world.dice.uuid(), planned(file, "appt-later")
    )
    file.coming = {coming.event_id: coming}

    events = offices.react(file, proposal(file, Action.CONTACT_REVIEW), NOW).events

    (ended,) = reported(events, FollowUpEnded)
    assert ended.reason in FIGURES.ends.after[Ending.OUT_OF_CONTACT].items
    assert ended.effective_at == NOW
    assert file.coming == {}


def planned(file: CaseFile, name: str) -> AppointmentPlanned:
    return AppointmentPlanned.read_json(
        f'{{"order_id":"{file.orders[0].order.order_id}","appointment_id":"{name}",'
        '"office_id":"gent","at":"2026-03-09T10:00:00Z","state":"planned","purpose":"first"}'
    )


def test_a_report_that_was_left_out_is_sent_when_it_is_asked_for() -> None:
    file = case(FIGURES)
    plan = planned(file, "appt-silent")
    record(file, plan, MONDAY)
    missed = AppointmentMissed.read_json(
        f'{{"order_id":"{plan.order_id}","appointment_id":"appt-silent","sequence":1,'
        '"scheduled_at":"2026-03-09T10:00:00Z","office_id":"gent","justification":"NONE",'
        '"review":"none","invitation":{"delivery":"proven","language":"nl"}}'
    )
    left_out = SimulatedEvent(MONDAY, APPOINTMENTS, file.world.dice.uuid(), missed)
    file.unreported["appt-silent"] = left_out

    asked = proposal(file, Action.REPORT_OUTCOME, f"{plan.order_id}/appointment/appt-silent")
    events = offices.react(file, asked, NOW).events

    assert reported(events, AppointmentMissed) == [missed]
    assert min(one.time for one in events) > NOW
    assert file.unreported == {}


def test_an_appointment_that_lapsed_is_cancelled_when_its_outcome_is_asked_for() -> None:
    file = case(FIGURES)
    plan = planned(file, "appt-lapsed")
    record(file, plan, MONDAY)

    asked = proposal(file, Action.REPORT_OUTCOME, f"{plan.order_id}/appointment/appt-lapsed")
    events = offices.react(file, asked, NOW).events

    (cancelled,) = reported(events, AppointmentPlanned)
    assert cancelled.state is AppointmentState.CANCELLED_BY_OFFICE


def appeal(state: CircumstanceState, outcome: CircumstanceOutcome | None) -> CircumstanceChanged:
    return CircumstanceChanged(
        circumstance=Guard.APPEAL_SUSPENSIVE_PENDING,
        state=state,
        effective_at=MONDAY + timedelta(days=5),
        reference="proc-1",
        outcome=outcome,
    )


def test_a_missing_decision_is_reported_under_the_same_reference() -> None:
    file = case(FIGURES)
    record(file, appeal(CircumstanceState.ENDS, None), MONDAY + timedelta(days=6))

    occasion = "decision/appeal_suspensive_pending/proc-1"
    events = offices.react(file, proposal(file, Action.REPORT_DECISION, occasion), NOW).events

    (decided,) = reported(events, CircumstanceChanged)
    assert decided.reference == "proc-1"
    assert decided.outcome not in (None, CircumstanceOutcome.UNKNOWN)


@pytest.mark.parametrize(
    ("occasion", "reason"),
    [
        ("end/granted/appeal_suspensive_pending/proc-1", EndReason.ORDER_ANNULLED),
        ("end/granted/new_residence_procedure/proc-1", EndReason.RESIDENCE_GRANTED),
        ("end/granted/voluntary_return_in_progress/proc-1", EndReason.LEFT_VOLUNTARILY),
        ("end/order_void/oqt-earlier", EndReason.ORDER_WITHDRAWN),
    ],
)
def test_an_official_records_the_end_that_fits_what_was_granted(
    occasion: str, reason: EndReason
) -> None:
    file = case(FIGURES)

    events = offices.react(file, proposal(file, Action.RECORD_END, occasion), NOW).events

    (ended,) = reported(events, FollowUpEnded)
    assert ended.reason is reason


def test_a_circumstance_whose_end_is_still_to_come_holds() -> None:
    file = case(answering(**always(Answer.DONE), still_holds=0.0))
    occasion = "circumstance/appeal_suspensive_pending/proc-1/2026-03-02"
    asked = proposal(file, Action.CONFIRM_CIRCUMSTANCE, occasion)
    ends = SimulatedEvent(
        NOW + timedelta(days=9),
        "/be/test",
        file.world.dice.uuid(),
        appeal(CircumstanceState.ENDS, None),
    )

    file.coming = {ends.event_id: ends}
    (before,) = reported(offices.react(file, asked, NOW).events, ProposalAnswered)
    file.coming = {}
    (after,) = reported(offices.react(file, asked, NOW).events, ProposalAnswered)

    assert before.reason is AnswerReason.STILL_HOLDS
    assert after.reason is AnswerReason.NO_LONGER_HOLDS


def test_a_notification_proven_after_all_corrects_the_order() -> None:
    file = case(answering(**always(Answer.DONE), proof_found=1.0))

    events = offices.react(file, proposal(file, Action.PROVE_NOTIFICATION), NOW).events

    (order,) = reported(events, OqtIssued)
    assert order.notification.proven
    assert order.order_id in file.proven


def test_a_review_is_answered_with_every_decision() -> None:
    decisions = set()
    for seed in range(60):
        file = case(FIGURES, seed)
        events = offices.react(file, proposal(file, Action.HUMAN_REVIEW), NOW).events
        (said,) = reported(events, ProposalAnswered)
        decisions.add(said.decision)
        planned_again = reported(events, AppointmentPlanned)
        assert not planned_again or said.decision is ReviewDecision.CONTINUE_FOLLOW_UP
    assert decisions == set(ReviewDecision)


def test_an_appointment_too_far_ahead_is_cancelled_and_another_is_planned_sooner() -> None:
    file = case(answering(**always(Answer.DONE)))
    far = replace(planned(file, "appt-far"), at=NOW + timedelta(days=80))
    record(file, far, MONDAY)

    order_id = far.order_id
    asked = proposal(file, Action.CHECK_DATES, f"{order_id}/date/appointment_too_far/appt-far")
    events = offices.react(file, asked, NOW).events

    cancelled, *sooner = reported(events, AppointmentPlanned)
    assert cancelled.appointment_id == "appt-far"
    assert cancelled.state is AppointmentState.CANCELLED_BY_OFFICE
    assert sooner[0].at < far.at
