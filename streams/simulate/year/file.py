"""One case of the year: its facts, what was announced about it, and what is still to come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from schemas.events import (
    AppointmentMissed,
    AppointmentPlanned,
    Event,
    FollowUpEnded,
    InterviewCompleted,
    OqtIssued,
)
from schemas.outcomes import EscalationRaised
from streams.domain.case import Case, Fact, evolve
from streams.domain.decide import Announced
from streams.simulate.event import SimulatedEvent, World
from streams.simulate.history import History
from streams.simulate.orders import ServedOrder


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
        found = [type(fact.event) for fact in self.case.facts.values()]
        return found.count(InterviewCompleted), found.count(AppointmentMissed)

    def counselling_ahead(self, by: datetime) -> bool:
        """Return whether an appointment lies ahead, or a plan or an interview comes by then."""
        return any(
            self._lies_ahead(one.event)
            or (isinstance(one.event, AppointmentPlanned | InterviewCompleted) and one.time <= by)
            for one in self.coming.values()
        )

    def _lies_ahead(self, event: Event) -> bool:
        if not isinstance(event, AppointmentMissed | InterviewCompleted):
            return False
        name, facts = event.appointment_id, self.case.facts
        return f"appointment:{name}" in facts and f"miss:{name}" not in facts

    def coming_ends(self) -> Iterator[SimulatedEvent]:
        """Yield the reports of an end that are yet to come."""
        for one in self.coming.values():
            if isinstance(one.event, FollowUpEnded):
                yield one

    def drop(self, events: Iterable[SimulatedEvent]) -> None:
        """Let events that are yet to come not happen."""
        for one in list(events):
            self.coming.pop(one.event_id, None)

    def drop_counselling(self) -> None:
        """Let no plan, miss or interview that is yet to come happen."""
        counselling = AppointmentPlanned | AppointmentMissed | InterviewCompleted
        self.drop(one for one in self.coming.values() if isinstance(one.event, counselling))
