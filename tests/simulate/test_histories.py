"""What a single history may and may not hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeVar

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

E = TypeVar("E", bound=Event)


def said(told: Sequence[History], kind: type[E]) -> Iterator[tuple[History, SimulatedEvent, E]]:
    for history in told:
        for simulated in history.events:
            if isinstance(simulated.event, kind):
                yield history, simulated, simulated.event


def test_a_history_begins_with_its_notification(told: Sequence[History]) -> None:
    for history in told:
        times = [simulated.time for simulated in history.events]
        assert times == sorted(times)
        assert times[0] > history.notified_at
        assert days.local_day(history.notified_at) == history.day


def test_facts_are_said_after_what_they_speak_of(told: Sequence[History]) -> None:
    for _, simulated, order in said(told, OqtIssued):
        assert simulated.time > order.notified_at
    for _, simulated, miss in said(told, AppointmentMissed):
        assert simulated.time > miss.scheduled_at
    for _, simulated, interview in said(told, InterviewCompleted):
        assert simulated.time > interview.held_at
    for _, simulated, change in said(told, CircumstanceChanged):
        assert simulated.time > change.effective_at


def test_late_reviews_correct_the_same_appointment(told: Sequence[History]) -> None:
    versions = defaultdict[str, list[tuple[SimulatedEvent, AppointmentMissed]]](list)
    for _, simulated, miss in said(told, AppointmentMissed):
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


def test_some_invitations_are_in_another_language(told: Sequence[History]) -> None:
    language = {order.order_id: order.language for _, _, order in said(told, OqtIssued)}
    wrong = [
        miss
        for _, _, miss in said(told, AppointmentMissed)
        if miss.invitation.language is not language[miss.order_id]
    ]
    assert len(wrong) > 20


def test_a_next_order_ends_the_appointments_of_the_one_before(told: Sequence[History]) -> None:
    superseded = 0
    for history in told:
        notified = {
            h.event.order_id: h.event.notified_at
            for h in history.events
            if isinstance(h.event, OqtIssued)
        }
        assert len(notified) == 1 + len(history.next_orders)
        superseded += len(notified) > 1
        for simulated in history.events:
            event = simulated.event
            if isinstance(event, AppointmentMissed | InterviewCompleted):
                after = [at for at in notified.values() if at > notified[event.order_id]]
                when = (
                    event.held_at if isinstance(event, InterviewCompleted) else event.scheduled_at
                )
                assert all(when < at for at in after)
    assert superseded > 100


def test_circumstances_end_after_they_begin_under_one_reference(told: Sequence[History]) -> None:
    begun: dict[str, CircumstanceChanged] = {}
    ended = 0
    for _, _, change in said(told, CircumstanceChanged):
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


def test_minors_are_never_detained_and_keep_the_full_term_alone(told: Sequence[History]) -> None:
    for _, _, order in said(told, OqtIssued):
        if order.household.kind is not HouseholdKind.SINGLE:
            assert order.lodging is not Lodging.DETAINED
        if order.household.kind is HouseholdKind.UNACCOMPANIED_MINOR:
            assert (order.annex, order.departure_term_days) == ("38", 30)


def test_appointments_are_on_working_days_inside_the_term(told: Sequence[History]) -> None:
    for _, _, order in said(told, OqtIssued):
        if order.first_appointment:
            day = days.local_day(order.first_appointment.at)
            waited = (day - days.local_day(order.notified_at)).days
            assert days.is_working(day)
            assert 0 < waited <= order.departure_term_days


def test_walk_ins_are_on_wednesday_mornings(told: Sequence[History]) -> None:
    walked = [i for _, _, i in said(told, InterviewCompleted) if i.appointment_id is None]
    assert len(walked) > 50
    for interview in walked:
        local = interview.held_at.astimezone(days.ZONE)
        assert local.weekday() == days.WEDNESDAY
        assert 9 * 60 <= local.hour * 60 + local.minute <= 12 * 60


def test_addresses_change_by_correcting_the_order(told: Sequence[History]) -> None:
    versions = defaultdict[str, list[OqtIssued]](list)
    for _, _, order in said(told, OqtIssued):
        versions[order.order_id].append(order)
    corrected = [pair for pair in versions.values() if len(pair) > 1]
    assert len(corrected) > 100
    assert any(first.residence_postcode is None for first, _ in corrected)
    assert any(first.lodging is Lodging.DETAINED for first, _ in corrected)
    for first, last in corrected:
        assert last.residence_postcode is not None
        assert last.notified_at == first.notified_at


def test_the_rare_places_occur(told: Sequence[History]) -> None:
    found = [order for _, _, order in said(told, OqtIssued)]
    assert {order.lodging for order in found} == set(Lodging)
    assert any(order.residence_postcode == "2070" for order in found)
    german = [order for order in found if order.language is Language.DE]
    assert len(german) > 5
    nowhere = [o for o in found if o.residence_postcode is None and o.interception_postcode]
    assert len(nowhere) > 500
