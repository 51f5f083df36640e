"""Play a year: events, deadlines and answers in the order of time, each followed by a decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from enum import IntEnum
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple, assert_never
from uuid import UUID

from schemas.events import (
    AppointmentMissed,
    AppointmentPlanned,
    CircumstanceChanged,
    FollowUpEnded,
    FollowUpState,
    InterviewCompleted,
    OqtIssued,
    ProposalAnswered,
)
from schemas.outcomes import (
    CaseEnded,
    CaseReopened,
    CaseRouted,
    EscalationRaised,
    EscalationWithdrawn,
)
from streams.domain.decide import decide
from streams.domain.tables import Tables
from streams.simulate import days
from streams.simulate.dice import Dice
from streams.simulate.event import SimulatedEvent, World
from streams.simulate.figures import Figures
from streams.simulate.loading import published_figures
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import histories
from streams.simulate.year import offices
from streams.simulate.year.file import CaseFile
from streams.simulate.year.months import Month, month_of


class _Kind(IntEnum):
    """What happens at an instant; at the same instant in this order."""

    FACT = 0
    ANSWER = 1
    DONE = 2
    CHECK = 3


class _Happening(NamedTuple):
    """Something that happens to a case. The number decides between equal instants and kinds."""

    at: datetime
    kind: _Kind
    number: int
    file: CaseFile
    event_id: UUID | None = None
    raised: EscalationRaised | None = None


def play(
    settings: SimulationSettings,
    tables: Tables,
    *,
    counsellors: float,
    answers: bool = True,
    on_day: Callable[[datetime], None] | None = None,
    figures: Figures | None = None,
) -> Iterator[Month]:
    """Yield the figures at the end of each Belgian month in the window, and at its own end.

    ``counsellors`` is the number of counsellors at scale 1. Without ``answers``, offices answer
    nothing, and what they left unreported stays unreported. ``on_day`` is called at the start of
    each simulated day. Memory holds the cases that are open or have events to come.
    """
    year = _Year(settings, tables, counsellors * settings.scale, answers, figures)
    samples = list(_month_ends(settings.start, settings.end))
    for history in histories(settings, figures):
        start_of_day = days.at(history.day, 0)
        while samples and samples[0] <= start_of_day:
            yield year.sample(samples.pop(0))
        if year.advance(start_of_day) and on_day is not None:
            on_day(start_of_day)
        file = CaseFile(history, World(year.figures, Dice(settings.seed, history.case_id)))
        year.open(file, history.events)
    for at in samples:
        yield year.sample(at)


def _month_ends(start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the end of each month, and of the window unless a month ended just before."""
    day = days.local_day(start)
    while True:
        day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        at = days.at(day, 0)
        if end - at < timedelta(days=1):
            yield min(at, end)
            return
        yield at


class _Year:
    """The state of all cases, and everything that is yet to happen, by time."""

    def __init__(
        self,
        settings: SimulationSettings,
        tables: Tables,
        counsellors: float,
        answers: bool,
        figures: Figures | None,
    ) -> None:
        self.figures = figures or published_figures()
        self._tables = tables
        self._counsellors = counsellors
        self._answers = answers
        self._now = settings.start
        self._queue: list[_Happening] = []
        self._numbers = count()
        self._open: dict[str, CaseFile] = {}
        self._ended: set[str] = set()
        self._longest_silence = timedelta(0)

    def open(self, file: CaseFile, events: tuple[SimulatedEvent, ...]) -> None:
        """Add a case with the events that will be reported about it."""
        self._schedule(file, events)

    def advance(self, to: datetime) -> bool:
        """Let everything happen that happens before an instant; return whether time passed."""
        passed = to > self._now
        while self._queue and self._queue[0].at < to:
            happening = heappop(self._queue)
            self._now = happening.at
            self._happen(happening)
        self._now = max(self._now, to)
        return passed

    def sample(self, at: datetime) -> Month:
        """Return the figures at an instant, and begin a new month."""
        self.advance(at)
        month = month_of(
            self._open.values(),
            at,
            counsellors=self._counsellors,
            ended=len(self._ended),
            longest_silence=self._longest_silence,
        )
        self._longest_silence = timedelta(0)
        return month

    def _schedule(self, file: CaseFile, events: tuple[SimulatedEvent, ...]) -> None:
        for simulated in events:
            file.coming[simulated.event_id] = simulated
            at = simulated.time + simulated.extra_delay
            self._push(_Happening(at, _Kind.FACT, 0, file, simulated.event_id))

    def _push(self, happening: _Happening) -> None:
        heappush(self._queue, happening._replace(number=next(self._numbers)))

    def _happen(self, happening: _Happening) -> None:
        now, kind, _, file, event_id, raised = happening
        if kind is _Kind.FACT:
            simulated = file.coming.pop(event_id, None) if event_id is not None else None
            if simulated is not None:
                self._report(file, simulated, now)
        elif kind is _Kind.CHECK:
            if file.next_check == now:
                self._decide(file, now)
        elif raised is not None and not file.ended:
            self._react(file, raised, now, done=kind is _Kind.DONE)

    def _report(self, file: CaseFile, simulated: SimulatedEvent, now: datetime) -> None:
        """Report an event, unless the follow-up ended or the office leaves the report out."""
        event = simulated.event
        match event:
            case AppointmentMissed() | InterviewCompleted():
                if file.ended or self._leaves_out(file, simulated, event.appointment_id):
                    return
            case AppointmentPlanned():
                if file.ended:
                    return
            case FollowUpEnded():
                if file.ended and event.state is FollowUpState.ENDED:
                    return
            case OqtIssued():
                if event.order_id in file.proven:
                    proven = replace(event.notification, proven=True)
                    order = replace(event, notification=proven)
                    simulated = replace(simulated, event=order)
            case CircumstanceChanged() | ProposalAnswered():
                pass
            case _:
                assert_never(event)
        file.add(simulated)
        self._note(file, now)
        self._decide(file, now)

    def _leaves_out(self, file: CaseFile, simulated: SimulatedEvent, name: str | None) -> bool:
        """Return whether the office reports an appointment only when it is asked."""
        share = self.figures.answering.unreported
        if name is None or name in file.unreported or not file.world.dice.chance(share):
            return False
        file.unreported[name] = simulated
        return True

    def _react(
        self, file: CaseFile, raised: EscalationRaised, now: datetime, *, done: bool
    ) -> None:
        escalation_id = UUID(raised.escalation_id)
        if done:
            self._schedule(file, offices.do(file, raised, now).events)
            return
        current = file.standing.get(escalation_id)
        if current is None or current.round != raised.round:
            return
        reaction = offices.react(file, raised, now)
        self._schedule(file, reaction.events)
        if reaction.done_at is not None:
            self._push(_Happening(reaction.done_at, _Kind.DONE, 0, file, raised=raised))

    def _decide(self, file: CaseFile, now: datetime) -> None:
        decision = decide(file.case, file.announced, self._tables, now)
        file.announced = file.announced.after(decision)
        if decision.messages:
            self._note(file, now)
        for _, outcome in decision.messages:
            match outcome:
                case EscalationRaised():
                    file.standing[UUID(outcome.escalation_id)] = outcome
                    self._ask(file, outcome, now)
                case EscalationWithdrawn():
                    file.standing.pop(UUID(outcome.escalation_id), None)
                case CaseRouted() | CaseEnded() | CaseReopened():
                    pass
                case _:
                    assert_never(outcome)
        file.ended = decision.end is not None
        if file.ended:
            self._open.pop(file.case_id, None)
            self._ended.add(file.case_id)
        else:
            self._open[file.case_id] = file
            self._ended.discard(file.case_id)
        if decision.next_check is not None and decision.next_check != file.next_check:
            self._push(_Happening(decision.next_check, _Kind.CHECK, 0, file))
        file.next_check = decision.next_check

    def _ask(self, file: CaseFile, raised: EscalationRaised, now: datetime) -> None:
        if not self._answers:
            return
        at = offices.reacts_at(file, raised, now)
        if at is not None:
            self._push(_Happening(at, _Kind.ANSWER, 0, file, raised=raised))

    def _note(self, file: CaseFile, now: datetime) -> None:
        """Note that a fact arrived or a message was announced."""
        if not file.standing and not file.ended and file.case_id in self._open:
            self._longest_silence = max(self._longest_silence, now - file.touched_at)
        file.touched_at = now
