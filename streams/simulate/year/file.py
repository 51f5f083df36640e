"""One case of the year: its facts, what was announced about it, and what is still to come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import Enum, auto
from typing import assert_never
from uuid import UUID

from schemas.events import (
    AppointmentMissed,
    AppointmentPlanned,
    CircumstanceChanged,
    Event,
    FollowUpEnded,
    InterviewCompleted,
    OqtIssued,
    ProposalAnswered,
)
from schemas.outcomes import EscalationRaised
from streams.domain.case import Case, Fact, evolve
from streams.domain.decision import Announced
from streams.simulate.event import SimulatedEvent, World
from streams.simulate.history import History
from streams.simulate.orders import ServedOrder


class Part(Enum):
    """Part of the follow-up that an event reports."""

    ORDER = auto()
    PLAN = auto()
    MISS = auto()
    INTERVIEW = auto()
    CIRCUMSTANCE = auto()
    ANSWER = auto()
    END = auto()


def part_of(event: Event) -> Part:
    """Return the part of the follow-up that an event reports."""
    kind = type(event)
    if kind is AppointmentPlanned:
        return Part.PLAN
    if kind is AppointmentMissed:
        return Part.MISS
    if kind is InterviewCompleted:
        return Part.INTERVIEW
    if kind is CircumstanceChanged:
        return Part.CIRCUMSTANCE
    if kind is ProposalAnswered:
        return Part.ANSWER
    if kind is FollowUpEnded:
        return Part.END
    if kind is OqtIssued:
        return Part.ORDER
    assert_never(kind)


def appointment_reported(event: Event) -> str | None:
    """Return the appointment that a miss or an interview reports; None for any other event."""
    match event:
        case AppointmentMissed() | InterviewCompleted():
            return event.appointment_id
        case (
            OqtIssued()
            | AppointmentPlanned()
            | CircumstanceChanged()
            | ProposalAnswered()
            | FollowUpEnded()
        ):
            return None
        case _:
            assert_never(event)


class CaseFile:
    """The state of one case. ``world`` draws for this case only, so cases do not affect others."""

    def __init__(self, history: History, world: World) -> None:
        self.case_id = history.case_id
        self.orders = history.orders
        self.world = world
        self.case = Case(history.case_id)
        self.announced = Announced()
        self.standing: dict[UUID, EscalationRaised] = {}
        """Proposals that were announced and not withdrawn."""
        self.coming: dict[UUID, SimulatedEvent] = {}
        """Events that are yet to be reported, by id."""
        self.unreported: dict[str, SimulatedEvent] = {}
        """Reports that the office sends only when asked, by appointment."""
        self.proven: set[str] = set()
        """Orders whose notification was proven after all."""
        self.ended = False
        self.next_check: datetime | None = None
        self.touched_at = history.notified_at
        """When a fact last arrived or a message was last announced."""

    def add(self, simulated: SimulatedEvent) -> None:
        """Fold an event into the case."""
        self.case = evolve(self.case, Fact(simulated.time, simulated.event_id, simulated.event))

    def served(self, order_id: str) -> ServedOrder | None:
        """Return an order of the case, or None if it has no such order."""
        return next((one for one in self.orders if one.order.order_id == order_id), None)

    def newest(self, order_id: str) -> OqtIssued | None:
        """Return the newest version of an order that was reported."""
        versions = [
            (fact.time, fact.event_id, fact.event)
            for fact in self.case.facts.values()
            if isinstance(fact.event, OqtIssued) and fact.event.order_id == order_id
        ]
        return max(versions)[2] if versions else None

    def next_order_after(self, instant: datetime) -> datetime | None:
        """Return when the next order after an instant is notified, or None."""
        notified = [one.order.notified_at for one in self.orders]
        return min((at for at in notified if at > instant), default=None)

    def attempts(self) -> tuple[int, int]:
        """Return how many interviews were reported, and how many appointments were missed."""
        found = [part_of(fact.event) for fact in self.case.facts.values()]
        return found.count(Part.INTERVIEW), found.count(Part.MISS)

    def counselling_ahead(self, by: datetime) -> bool:
        """Return whether an appointment lies ahead, or a plan or an interview comes by then."""
        return any(
            self._lies_ahead(one.event)
            or (one.time <= by and part_of(one.event) in (Part.PLAN, Part.INTERVIEW))
            for one in self.coming.values()
        )

    def _lies_ahead(self, event: Event) -> bool:
        """Return whether an event reports an appointment that was planned and not yet missed."""
        name, facts = appointment_reported(event), self.case.facts
        return f"appointment:{name}" in facts and f"miss:{name}" not in facts

    def coming_ends(self) -> Iterator[SimulatedEvent]:
        """Yield the reports of an end that are yet to come."""
        for one in self.coming.values():
            if part_of(one.event) is Part.END:
                yield one

    def drop(self, events: Iterable[SimulatedEvent]) -> None:
        """Let events that are yet to come not happen."""
        for one in list(events):
            self.coming.pop(one.event_id, None)

    def drop_counselling(self) -> None:
        """Let no plan, miss or interview that is yet to come happen."""
        counselling = (Part.PLAN, Part.MISS, Part.INTERVIEW)
        self.drop(one for one in self.coming.values() if part_of(one.event) in counselling)
