"""Properties that every single history must have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeVar

import pytest

from schemas.events import (
    AppointmentMissed,
    CircumstanceChanged,
    CircumstanceState,
    Delivery,
    Event,
    HouseholdKind,
    InterviewCompleted,
    Justification,
    Lodging,
    OqtIssued,
    Review,
)
from schemas.types import Guard, Language
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
        assert (
            last.model_copy(update={"justification": first.justification, "review": first.review})
            == first
        )
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
        else:
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
    assert any(first.residence_postcode is None for first, _ in corrected)
    assert any(first.lodging is Lodging.DETAINED for first, _ in corrected)
    for first, last in corrected:
        assert last.residence_postcode is not None
        assert last.notified_at == first.notified_at


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
