"""Generate histories with corrections, several orders, contradictions and any order of facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from schemas.codes import Guard, Language
from schemas.events import (
    Answer,
    AnswererRole,
    AnswerReason,
    AppointmentMissed,
    AppointmentPlanned,
    AppointmentState,
    CircumstanceChanged,
    CircumstanceOutcome,
    Conclusion,
    Delivery,
    EndReason,
    FollowUpState,
    Household,
    HouseholdKind,
    InterviewCompleted,
    Justification,
    Lodging,
    Notification,
    NotificationChannel,
    ProposalAnswered,
    Review,
    ReviewDecision,
)
from streams.domain.case import Fact
from streams.domain.identity import escalation_id
from tests.domain import given

_START = datetime(2026, 1, 5, 8, tzinfo=UTC)
_ORDERS = st.sampled_from(["order-1", "order-1", "order-2"])
_LANGUAGES = st.sampled_from([Language.NL, Language.NL, Language.FR])
_HOUSEHOLDS = st.sampled_from(
    [
        *[Household(kind=HouseholdKind.SINGLE)] * 3,
        given.FAMILY,
        Household(kind=HouseholdKind.UNACCOMPANIED_MINOR),
    ]
)
_POSTCODES = st.sampled_from([None, "9000", "9000", "2070", "4700", "8500", "1000"])


def instants(days: int = 200) -> st.SearchStrategy[datetime]:
    """Return instants on a coarse grid, so that ties and equal boundaries occur."""
    return st.integers(0, days * 8).map(lambda step: _START + timedelta(hours=3 * step))


@st.composite
def _orders(draw: st.DrawFn) -> Fact:
    return given.order(
        order_id=draw(_ORDERS),
        notified_at=draw(instants(120)),
        notification=Notification(
            channel=NotificationChannel.POLICE, proven=draw(st.sampled_from([True, True, False]))
        ),
        departure_term_days=draw(st.sampled_from([0, 7, 30, 30])),
        residence_postcode=draw(_POSTCODES),
        interception_postcode=draw(_POSTCODES),
        lodging=draw(st.sampled_from([Lodging.HOME, Lodging.HOME, *Lodging])),
        household=draw(_HOUSEHOLDS),
        language=draw(_LANGUAGES),
        first_appointment=draw(st.none() | instants().map(given.appointment)),
        time=draw(instants()),
    )


@st.composite
def _misses(draw: st.DrawFn) -> Fact:
    return given.miss(
        draw(st.integers(1, 5)),
        order_id=draw(_ORDERS),
        scheduled_at=draw(instants()),
        delivery=draw(st.sampled_from([Delivery.PROVEN, Delivery.PROVEN, *Delivery])),
        language=draw(_LANGUAGES),
        justification=draw(st.sampled_from([Justification.NONE] * 3 + [Justification.MEDICAL])),
        review=draw(st.sampled_from([Review.NONE, Review.NONE, *Review])),
        time=draw(instants()),
    )


@st.composite
def _interviews(draw: st.DrawFn) -> Fact:
    fields: dict[str, Any] = {
        "appointment_id": draw(st.sampled_from([None, "appointment-1", "appointment-4"])),
        "conclusion": draw(st.sampled_from(Conclusion)),
        "vulnerability_reviewed": draw(st.booleans()),
        "next_appointment": draw(st.none() | instants().map(given.appointment)),
    }
    return given.interview(
        draw(st.integers(1, 3)),
        order_id=draw(_ORDERS),
        held_at=draw(instants()),
        time=draw(instants()),
        **fields,
    )


@st.composite
def _circumstances(draw: st.DrawFn) -> Fact:
    return given.circumstance(
        draw(st.sampled_from([Guard.ASYLUM_REQUEST_PENDING] * 4 + [*Guard])),
        ends=draw(st.booleans()),
        effective_at=draw(instants()),
        reference=draw(st.sampled_from(["procedure-1", "procedure-2"])),
        time=draw(instants()),
    )


@st.composite
def _outcomes(draw: st.DrawFn) -> Fact:
    return given.circumstance(
        draw(st.sampled_from([Guard.ASYLUM_REQUEST_PENDING, Guard.APPEAL_SUSPENSIVE_PENDING])),
        ends=True,
        outcome=draw(st.sampled_from(CircumstanceOutcome)),
        effective_at=draw(instants()),
        reference="procedure-1",
        time=draw(instants()),
    )


@st.composite
def _moves(draw: st.DrawFn) -> Fact:
    return given.order(
        notified_at=_START,
        lodging=draw(st.sampled_from([Lodging.HOME, Lodging.DETAINED, Lodging.RETURN_HOUSE])),
        lodging_since=draw(st.none() | instants()),
        time=draw(instants()),
    )


@st.composite
def _planned(draw: st.DrawFn) -> Fact:
    return given.planned(
        draw(instants(300)),
        draw(st.sampled_from(["appointment-1", "appointment-4", "appointment-9"])),
        order_id=draw(_ORDERS),
        state=draw(st.sampled_from([AppointmentState.PLANNED, *AppointmentState])),
        time=draw(instants()),
    )


_ANSWERED = [
    ("reinvite-after-first-miss", "order-1/miss/appointment-1"),
    ("outreach-after-second-miss", "order-1/miss/appointment-2"),
    ("review-after-third-miss", "order-1/miss/appointment-3"),
    ("give-first-date", "order-1/order"),
    ("check-dates", "date/appointment_too_far/appointment-9"),
    ("report-decision", "decision/asylum_request_pending/procedure-1"),
    ("record-end", "end/granted/asylum_request_pending/procedure-1"),
    ("confirm-circumstance", "circumstance/asylum_request_pending/procedure-1/2026-01-05"),
]


@st.composite
def _answers(draw: st.DrawFn) -> Fact:
    rule, occasion = draw(st.sampled_from(_ANSWERED))
    kind, at = draw(st.sampled_from([Answer.DONE, *Answer])), draw(instants())
    decision = None
    if kind is Answer.DONE and rule == "review-after-third-miss":
        decision = draw(st.sampled_from(ReviewDecision))
    fields: dict[str, Any] = {
        "escalation_id": str(escalation_id(given.CASE_ID, rule, occasion)),
        "round": draw(st.integers(1, 3)),
        "answer": kind,
        "postponed_until": draw(instants(300)) if kind is Answer.POSTPONED else None,
        "reason": draw(st.sampled_from(AnswerReason)),
        "role": AnswererRole.OFFICIAL,
        "decision": decision,
        "answered_at": at,
    }
    return given.fact(ProposalAnswered(**fields), draw(instants()))


@st.composite
def _ends(draw: st.DrawFn) -> Fact:
    return given.ended(
        draw(instants()),
        draw(st.sampled_from(EndReason)),
        order_id=draw(st.none() | _ORDERS),
        state=draw(st.sampled_from([FollowUpState.ENDED, *FollowUpState])),
        time=draw(instants()),
    )


def histories() -> st.SearchStrategy[list[Fact]]:
    """Return facts of one case in any order; most histories start with an order."""
    any_fact = st.one_of(
        *(_orders(), _moves(), _misses(), _misses(), _interviews(), _circumstances(), _outcomes()),
        *(_planned(), _answers(), _ends()),
    )
    rest = st.lists(any_fact, max_size=12)
    return st.tuples(st.lists(_orders(), min_size=0, max_size=2), rest).map(
        lambda parts: [*parts[0], *parts[1]]
    )


def of_few_types() -> st.SearchStrategy[list[Fact]]:
    """Return facts of one case without those of one or two types."""
    types = [AppointmentMissed, AppointmentPlanned, CircumstanceChanged, InterviewCompleted]
    lacking = st.sets(st.sampled_from(types), min_size=1, max_size=2)
    return st.tuples(histories(), lacking).map(
        lambda drawn: [fact for fact in drawn[0] if type(fact.event) not in drawn[1]]
    )


def long_histories() -> st.SearchStrategy[list[Fact]]:
    """Return facts of one case with up to some hundred appointments, circumstances and so on."""
    return st.lists(histories(), min_size=2, max_size=8).map(
        lambda many: [_renamed(fact, number) for number, one in enumerate(many) for fact in one]
    )


_NAMES = ("appointment_id", "interview_id", "reference")


def _renamed(fact: Fact, number: int) -> Fact:
    event = fact.event
    names: dict[str, Any] = {
        name: f"{getattr(event, name)}-{number}" for name in _NAMES if hasattr(event, name)
    }
    return given.fact(replace(event, **names), fact.time)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Fact], list[Fact]]:
    """Return a history, and the same facts in any order with some duplicates."""
    facts = draw(histories())
    duplicates = draw(st.lists(st.sampled_from(facts), max_size=6)) if facts else []
    return facts, draw(st.permutations([*facts, *duplicates]))
