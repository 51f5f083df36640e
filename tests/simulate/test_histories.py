"""Properties that every single history must have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest

from schemas.codes import Guard, Language
from schemas.events import (
    Answer,
    AppointmentMissed,
    AppointmentPlanned,
    AppointmentPurpose,
    AppointmentState,
    CircumstanceChanged,
    CircumstanceOutcome,
    CircumstanceState,
    Conclusion,
    Delivery,
    EndReason,
    Event,
    FollowUpEnded,
    FollowUpState,
    HouseholdKind,
    InterviewCompleted,
    Justification,
    Lodging,
    OqtIssued,
    ProposalAnswered,
    Review,
)
from streams.simulate import days
from streams.simulate.event import SimulatedEvent
from streams.simulate.history import History

pytestmark = pytest.mark.slow

E = TypeVar("E", bound=Event)


def events_of_type(
    all_histories: Sequence[History], kind: type[E]
) -> Iterator[tuple[History, SimulatedEvent, E]]:
    for history in all_histories:
        for simulated in history.events:
            if isinstance(simulated.event, kind):
                yield history, simulated, simulated.event


def test_a_history_begins_after_its_notification_in_time_order(
    all_histories: Sequence[History],
) -> None:
    for history in all_histories:
        times = [simulated.time for simulated in history.events]
        assert times == sorted(times)
        assert times[0] > history.notified_at
        assert days.local_day(history.notified_at) == history.day


def test_facts_are_reported_after_they_happened(all_histories: Sequence[History]) -> None:
    for _, simulated, order in events_of_type(all_histories, OqtIssued):
        assert simulated.time > order.notified_at
    for _, simulated, miss in events_of_type(all_histories, AppointmentMissed):
        assert simulated.time > miss.scheduled_at
    for _, simulated, interview in events_of_type(all_histories, InterviewCompleted):
        assert simulated.time > interview.held_at
    for _, simulated, change in events_of_type(all_histories, CircumstanceChanged):
        assert simulated.time > change.effective_at


def test_a_review_corrects_the_report_of_the_same_appointment(
    all_histories: Sequence[History],
) -> None:
    versions = defaultdict[str, list[tuple[SimulatedEvent, AppointmentMissed]]](list)
    for _, simulated, miss in events_of_type(all_histories, AppointmentMissed):
        versions[miss.appointment_id].append((simulated, miss))
    corrected = [pair for pair in versions.values() if len(pair) > 1]
    assert len(corrected) > 100
    for (before, first), (after, last) in corrected:
        assert after.event_id != before.event_id
        assert after.time > before.time
        assert first.review in (Review.NONE, Review.PENDING)
        assert (first.justification, first.review) != (last.justification, last.review)
        assert replace(last, justification=first.justification, review=first.review) == first
    final = [pair[-1][1] for pair in versions.values()]
    assert any(miss.justification is Justification.UNKNOWN for miss in final)
    assert any(miss.review is Review.REJECTED for miss in final)
    assert any(miss.invitation.delivery is Delivery.FAILED for miss in final)


def test_some_invitations_are_in_another_language(all_histories: Sequence[History]) -> None:
    language = {
        order.order_id: order.language for _, _, order in events_of_type(all_histories, OqtIssued)
    }
    wrong = [
        miss
        for _, _, miss in events_of_type(all_histories, AppointmentMissed)
        if miss.invitation.language is not language[miss.order_id]
    ]
    assert len(wrong) > 20


def test_a_further_order_ends_the_appointments_of_the_previous_one(
    all_histories: Sequence[History],
) -> None:
    superseded = 0
    for history in all_histories:
        notified = {
            h.event.order_id: h.event.notified_at
            for h in history.events
            if isinstance(h.event, OqtIssued)
        }
        assert len(notified) == 1 + len(history.further_orders)
        superseded += len(notified) > 1
        for simulated in history.events:
            event = simulated.event
            if isinstance(event, AppointmentMissed | InterviewCompleted):
                after = [at for at in notified.values() if at > notified[event.order_id]]
                happened_at = (
                    event.held_at if isinstance(event, InterviewCompleted) else event.scheduled_at
                )
                assert all(happened_at < at for at in after)
    assert superseded > 100


def test_a_circumstance_ends_after_it_began_under_the_same_reference(
    all_histories: Sequence[History],
) -> None:
    begun: dict[str, CircumstanceChanged] = {}
    ended = 0
    for _, _, change in events_of_type(all_histories, CircumstanceChanged):
        if change.state is CircumstanceState.BEGINS:
            assert change.reference not in begun
            begun[change.reference] = change
        elif not change.reference.startswith("check-"):
            ended += 1
            begin = begun[change.reference]
            assert change.effective_at > begin.effective_at
            assert (change.circumstance, change.order_id) == (begin.circumstance, begin.order_id)
    assert 0 < ended < len(begun)
    assert {c.circumstance for c in begun.values()} >= {
        Guard.APPEAL_SUSPENSIVE_PENDING,
        Guard.ASYLUM_REQUEST_PENDING,
        Guard.NEW_RESIDENCE_PROCEDURE,
        Guard.EXTENSION_GRANTED,
        Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED,
        Guard.VOLUNTARY_RETURN_IN_PROGRESS,
    }


def test_a_check_that_found_nothing_is_an_end_without_a_begin(
    all_histories: Sequence[History],
) -> None:
    references = Counter(
        change.reference
        for _, _, change in events_of_type(all_histories, CircumstanceChanged)
        if change.reference.startswith("check-")
    )
    checks = [
        change
        for _, _, change in events_of_type(all_histories, CircumstanceChanged)
        if change.reference in references
    ]
    assert len(checks) > 500
    assert set(references.values()) == {1}
    assert {c.circumstance for c in checks} == {Guard.NON_REFOULEMENT_CHECK_MISSING}
    assert {(c.state, c.outcome) for c in checks} == {(CircumstanceState.ENDS, None)}


def test_procedures_end_with_every_outcome_and_some_without_one(
    all_histories: Sequence[History],
) -> None:
    found = Counter(
        change.outcome
        for _, _, change in events_of_type(all_histories, CircumstanceChanged)
        if change.circumstance is Guard.APPEAL_SUSPENSIVE_PENDING
        and change.state is CircumstanceState.ENDS
    )
    assert set(found) == {None, *CircumstanceOutcome}
    assert found[CircumstanceOutcome.REFUSED] > found[CircumstanceOutcome.GRANTED] > found[None] / 4


def test_every_appointment_is_planned_before_it_is_kept_or_missed(
    all_histories: Sequence[History],
) -> None:
    attempts = 0
    for history in all_histories:
        planned: dict[str, SimulatedEvent] = {}
        for simulated in history.events:
            event = simulated.event
            if isinstance(event, AppointmentPlanned):
                assert simulated.time < event.at
                planned[event.appointment_id] = simulated
            elif isinstance(event, AppointmentMissed | InterviewCompleted):
                if event.appointment_id is None:
                    continue
                attempts += 1
                plan = planned[event.appointment_id].event
                assert isinstance(plan, AppointmentPlanned)
                assert plan.state in (AppointmentState.PLANNED, AppointmentState.MOVED)
                at = event.held_at if isinstance(event, InterviewCompleted) else event.scheduled_at
                assert (plan.at, plan.office_id) == (at, event.office_id)
    assert attempts > 1000


def test_an_invitation_agrees_with_the_report_of_the_miss(
    all_histories: Sequence[History],
) -> None:
    planned = {
        plan.appointment_id: plan.invitation
        for _, _, plan in events_of_type(all_histories, AppointmentPlanned)
    }
    for _, _, miss in events_of_type(all_histories, AppointmentMissed):
        invitation = planned[miss.appointment_id]
        assert invitation is not None
        assert (invitation.delivery, invitation.language) == (
            miss.invitation.delivery,
            miss.invitation.language,
        )
        assert invitation.sent_at < miss.scheduled_at


def test_appointments_are_moved_and_cancelled_and_most_are_planned_again(
    all_histories: Sequence[History],
) -> None:
    states = defaultdict[str, list[AppointmentState]](list)
    orders_of = defaultdict[str, list[str]](list)
    for _, _, plan in events_of_type(all_histories, AppointmentPlanned):
        states[plan.appointment_id].append(plan.state)
        orders_of[plan.order_id].append(plan.appointment_id)
    assert {found[0] for found in states.values()} == {AppointmentState.PLANNED}
    changed = Counter(found[1] for found in states.values() if len(found) > 1)
    assert set(changed) == set(AppointmentState) - {AppointmentState.PLANNED}
    cancelled = [
        (order, name)
        for order, names in orders_of.items()
        for name in dict.fromkeys(names)
        if states[name][-1]
        in (AppointmentState.CANCELLED_BY_OFFICE, AppointmentState.CANCELLED_BY_PERSON)
    ]
    again = sum(orders_of[order][-1] != name for order, name in cancelled)
    assert 0.75 < again / len(cancelled) < 0.98


def test_first_appointments_are_planned_as_first_and_further_ones_as_follow_ups(
    all_histories: Sequence[History],
) -> None:
    first = {
        order.first_appointment.appointment_id
        for _, _, order in events_of_type(all_histories, OqtIssued)
        if order.first_appointment
    }
    follow_ups = {
        interview.next_appointment.appointment_id
        for _, _, interview in events_of_type(all_histories, InterviewCompleted)
        if interview.next_appointment
    }
    purposes = defaultdict[AppointmentPurpose, set[str]](set)
    for _, _, plan in events_of_type(all_histories, AppointmentPlanned):
        purposes[plan.purpose].add(plan.appointment_id)
    assert not first & purposes[AppointmentPurpose.FOLLOW_UP]
    assert not follow_ups & purposes[AppointmentPurpose.FIRST]
    assert len(first & purposes[AppointmentPurpose.FIRST]) > 0.95 * len(first)


def test_a_counselling_that_reached_an_end_reports_it(all_histories: Sequence[History]) -> None:
    """Accepted returns, granted procedures and long silences end the follow-up."""
    reasons = Counter[EndReason]()
    for history in all_histories:
        reported = [e for e in history.events if isinstance(e.event, FollowUpEnded)]
        ended = {e.event.reason for e in reported if isinstance(e.event, FollowUpEnded)}
        reasons.update(ended)
        order_ids = {e.event.order_id for e in history.events if isinstance(e.event, OqtIssued)}
        for simulated in reported:
            assert isinstance(simulated.event, FollowUpEnded)
            assert simulated.event.order_id in {None, *order_ids}
            assert simulated.time > simulated.event.effective_at
        conclusions = [
            e.event.conclusion for e in history.events if isinstance(e.event, InterviewCompleted)
        ]
        if conclusions and not history.further_orders:
            assert ended, "a counselling with interviews ends"
        if EndReason.LEFT_VOLUNTARILY in ended and not history.further_orders:
            assert any(
                conclusion is Conclusion.VOLUNTARY_RETURN_ACCEPTED for conclusion in conclusions
            ) or any(
                isinstance(e.event, CircumstanceChanged)
                and e.event.outcome is CircumstanceOutcome.GRANTED
                for e in history.events
            )
    assert set(reasons) == set(EndReason)


def test_nothing_happens_after_the_end_of_a_follow_up(all_histories: Sequence[History]) -> None:
    ended = 0
    for history in all_histories:
        last = next(
            (e.event for e in reversed(history.events) if isinstance(e.event, FollowUpEnded)), None
        )
        if last is None or last.state is FollowUpState.REOPENED:
            continue
        ended += 1
        for event in (simulated.event for simulated in history.events):
            if not isinstance(event, InterviewCompleted | AppointmentMissed):
                continue
            if last.order_id in (None, event.order_id):
                at = event.held_at if isinstance(event, InterviewCompleted) else event.scheduled_at
                assert at < last.effective_at
    assert ended > 1000


def test_a_few_ends_out_of_contact_are_reopened(all_histories: Sequence[History]) -> None:
    reopened = 0
    for history in all_histories:
        known: set[str | None] = set()
        for simulated in history.events:
            event = simulated.event
            if isinstance(event, FollowUpEnded):
                if event.state is FollowUpState.REOPENED:
                    reopened += 1
                    assert event.order_id in known
                known.add(event.order_id)
    assert reopened > 20


def test_families_are_not_detained_and_unaccompanied_minors_get_the_full_term(
    all_histories: Sequence[History],
) -> None:
    for _, _, order in events_of_type(all_histories, OqtIssued):
        if order.household.kind is not HouseholdKind.SINGLE:
            assert order.lodging is not Lodging.DETAINED
        if order.household.kind is HouseholdKind.UNACCOMPANIED_MINOR:
            assert (order.annex, order.departure_term_days) == ("38", 30)


def test_appointments_are_on_working_days_inside_the_term(all_histories: Sequence[History]) -> None:
    for _, _, order in events_of_type(all_histories, OqtIssued):
        if order.first_appointment:
            day = days.local_day(order.first_appointment.at)
            waited = (day - days.local_day(order.notified_at)).days
            assert days.is_working(day)
            assert 0 < waited <= order.departure_term_days


def test_walk_ins_are_on_wednesday_mornings(all_histories: Sequence[History]) -> None:
    walk_ins = [
        i
        for _, _, i in events_of_type(all_histories, InterviewCompleted)
        if i.appointment_id is None
    ]
    assert len(walk_ins) > 50
    for interview in walk_ins:
        local = interview.held_at.astimezone(days.ZONE)
        assert local.weekday() == days.WEDNESDAY
        assert 9 * 60 <= local.hour * 60 + local.minute <= 12 * 60


def test_a_correction_of_an_order_changes_the_address_only(
    all_histories: Sequence[History],
) -> None:
    versions = defaultdict[str, list[OqtIssued]](list)
    for _, _, order in events_of_type(all_histories, OqtIssued):
        versions[order.order_id].append(order)
    corrected = [pair for pair in versions.values() if len(pair) > 1]
    assert len(corrected) > 100
    assert any(first.residence_postcode is None for first, *_ in corrected)
    assert any(first.lodging is Lodging.DETAINED for first, *_ in corrected)
    assert any(last.lodging is Lodging.DETAINED for *_, last in corrected)
    assert any(
        [order.lodging for order in found] == [Lodging.HOME, Lodging.DETAINED, Lodging.HOME]
        for found in corrected
    )
    address = ("residence_postcode", "residence_since", "lodging", "lodging_since")
    for first, *later in corrected:
        for last in later:
            assert last.residence_postcode is not None
            same = {name: getattr(first, name) for name in address}
            assert replace(last, **same) == first


def test_most_corrections_say_since_when_the_person_lives_there(
    all_histories: Sequence[History],
) -> None:
    seen: set[str] = set()
    stated = missing = 0
    for _, simulated, order in events_of_type(all_histories, OqtIssued):
        if order.order_id not in seen:
            seen.add(order.order_id)
            assert order.lodging_since is None
        elif order.lodging_since is None:
            missing += 1
        else:
            stated += 1
            assert order.notified_at < order.lodging_since < simulated.time
            assert order.residence_since in (None, order.lodging_since)
    assert stated > missing > 10


def test_a_few_answers_name_a_proposal_that_is_not_known(
    all_histories: Sequence[History],
) -> None:
    answers = [answer for _, _, answer in events_of_type(all_histories, ProposalAnswered)]
    assert {answer.answer for answer in answers} == set(Answer)
    assert any(answer.decision for answer in answers)
    names = [answer.escalation_id for answer in answers]
    assert len(names) == len(set(names))


def test_rare_lodgings_and_places_occur(all_histories: Sequence[History]) -> None:
    all_orders = [order for _, _, order in events_of_type(all_histories, OqtIssued)]
    assert {order.lodging for order in all_orders} == set(Lodging)
    assert any(order.residence_postcode == "2070" for order in all_orders)
    german = [order for order in all_orders if order.language is Language.DE]
    assert len(german) > 5
    without_address = [
        o for o in all_orders if o.residence_postcode is None and o.interception_postcode
    ]
    assert len(without_address) > 500
