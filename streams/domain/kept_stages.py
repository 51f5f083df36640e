"""Keep what the stages of a derivation returned, for many situations of one case.

An explanation derives dozens of situations that hardly differ: with one more fact, or at another
instant. Each of them costs little then, even in a case of a thousand events.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import is_
from typing import Any, Final, TypeVar, final

from schemas.codes import Guard
from schemas.events import OqtIssued
from streams.domain.answers import Settlements
from streams.domain.appointments import PlannedAppointment
from streams.domain.clocks import Calendar
from streams.domain.orders import OrderVersions
from streams.domain.pauses import Pausing
from streams.domain.procedures import BlockingSpan, Procedure, procedures
from streams.domain.questions import Question, QuestionKind, first
from streams.domain.stages import (
    Answers,
    Attempt,
    CaseFacts,
    Interview,
    Lived,
    Spans,
    Stages,
    Step,
    by_time,
    step_at,
)
from streams.domain.terms import Counting, PolicyTerms, QuestionRules

T = TypeVar("T")


@final
class KeptStages(Stages):
    """The stages for one case under one policy: each keeps what it returned before.

    Arguments are compared by identity, so a result holds only for the very same objects.
    """

    def __init__(self) -> None:
        self._known: Final[dict[str, list[tuple[tuple[object, ...], Any]]]] = {}

    def _kept(self, stage: str, of: tuple[object, ...], compute: Callable[[], T]) -> T:
        known = self._known.setdefault(stage, [])
        for arguments, result in known:
            if all(map(is_, arguments, of)):
                found: T = result
                return found
        made = compute()
        # The first result is about the case itself, the second about what was asked last.
        del known[1:]
        known.append((of, made))
        return made

    def orders(self, facts: CaseFacts) -> Mapping[str, OrderVersions]:
        """Return each order with its versions, by reference."""
        return self._kept("orders", (facts.orders,), lambda: Stages.orders(self, facts))

    def order(self, current: OrderVersions) -> Lived:
        """Return where the person lived under an order."""
        return self._kept("order", (current,), lambda: Stages.order(self, current))

    def answers(self, facts: CaseFacts, terms: PolicyTerms, calendar: Calendar) -> Answers:
        """Return the answers given up to the facts' instant."""
        last = self._kept(
            "last answer",
            (facts.answers,),
            lambda: max(answer.answered_at for _, answer in facts.answers),
        )
        return self._kept(
            "answers",
            (facts.answers, _unless_past(last, facts.now)),
            lambda: Stages.answers(self, facts, terms, calendar),
        )

    def interviews(self, facts: CaseFacts) -> tuple[tuple[Interview, ...], list[Interview]]:
        """Return the interviews held up to the facts' instant in order, and those dated later."""
        last = self._kept(
            "last interview",
            (facts.interviews,),
            lambda: max(one.event.held_at for one in facts.interviews),
        )
        return self._kept(
            "interviews",
            (facts.interviews, _unless_past(last, facts.now)),
            lambda: Stages.interviews(self, facts),
        )

    def procedures(self, facts: CaseFacts) -> Mapping[Guard, Sequence[Procedure]]:
        """Return the circumstances of each guard."""
        return self._kept("procedures", (facts.changes,), lambda: self._procedures(facts))

    def _procedures(self, facts: CaseFacts) -> Mapping[Guard, Sequence[Procedure]]:
        if facts.changed is None:
            return Stages.procedures(self, facts)
        before, changed = facts.changed
        found: dict[Guard, Sequence[Procedure]] = {}
        if before.changes:
            found |= self.procedures(before)
        of_guard = [one for one in facts.changes if one[1].circumstance is changed]
        found |= procedures(of_guard, facts.case.rank)
        return {guard: found[guard] for guard in sorted(found)}

    def spans(
        self,
        guard: Guard,
        of_guard: Sequence[Procedure],
        answers: Settlements,
        interviews: tuple[Interview, ...],
        facts: CaseFacts,
        counting: Counting,
        rules: QuestionRules,
        calendar: Calendar,
    ) -> Spans:
        """Return the periods in which circumstances block, and the questions that they raise."""
        last = self._kept(
            f"last end of {guard}",
            (of_guard,),
            lambda: max([one.ends for one in of_guard if one.ends is not None], default=None),
        )
        reviewed = interviews if guard is Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED else None
        return self._kept(
            f"spans of {guard}",
            (of_guard, answers, reviewed, _unless_past(last, facts.now)),
            lambda: _with_first_questions(
                Stages.spans(
                    self, guard, of_guard, answers, interviews, facts, counting, rules, calendar
                )
            ),
        )

    def pausings(
        self, guard: Guard, spans: Sequence[BlockingSpan], first_event: datetime
    ) -> Sequence[Pausing]:
        """Return the periods as pauses."""
        return self._kept(
            f"pauses of {guard}",
            (spans, first_event),
            lambda: Stages.pausings(self, guard, spans, first_event),
        )

    def planned(
        self,
        facts: CaseFacts,
        orders: Mapping[str, OrderVersions],
        interviews: tuple[Interview, ...],
    ) -> Mapping[str, PlannedAppointment]:
        """Return every planned appointment, by reference."""
        return self._kept(
            "planned",
            (facts.planned, orders, interviews),
            lambda: Stages.planned(self, facts, orders, interviews),
        )

    def attempts(
        self,
        facts: CaseFacts,
        order: OqtIssued,
        attended: tuple[Interview, ...],
        known: Mapping[str, PlannedAppointment],
    ) -> tuple[list[Attempt], list[Attempt]]:
        """Return the misses under an order up to the facts' instant, and those dated later."""
        last = self._kept(
            "last miss",
            (facts.misses,),
            lambda: max(miss.scheduled_at for _, miss in facts.misses),
        )
        return self._kept(
            "attempts",
            (facts.misses, order, attended, known, _unless_past(last, facts.now)),
            lambda: Stages.attempts(self, facts, order, attended, known),
        )

    def of_order(
        self, known: Mapping[str, PlannedAppointment], order: OqtIssued
    ) -> tuple[PlannedAppointment, ...]:
        """Return the appointments under an order by their times."""
        return self._kept(
            "appointments", (known, order), lambda: Stages.of_order(self, known, order)
        )

    def reported(
        self,
        facts: CaseFacts,
        interviews: tuple[Interview, ...],
        known: Mapping[str, PlannedAppointment],
    ) -> set[str]:
        """Return the references of the appointments whose outcome was reported."""
        return self._kept(
            "reported",
            (facts.misses, interviews, known),
            lambda: Stages.reported(self, facts, interviews, known),
        )

    def appointments_change_at(
        self, known: tuple[PlannedAppointment, ...], order: OqtIssued
    ) -> Sequence[datetime]:
        """Return when appointments change the situation by the passing of time alone."""
        return self._kept(
            "changes",
            (known, order),
            lambda: Stages.appointments_change_at(self, known, order),
        )

    def later(self, stage: str, changes: Sequence[datetime], now: datetime) -> Sequence[datetime]:
        """Return the first instant after ``now`` that a stage returned."""
        if len(changes) < 2:
            return changes
        ordered = self._kept(f"later in {stage}", (changes,), lambda: sorted(changes))
        place = bisect_right(ordered, now)
        return ordered[place : place + 1]

    def steps(
        self,
        attempts: Sequence[Attempt],
        known: tuple[PlannedAppointment, ...],
        answers: Settlements,
        now: datetime,
        limit: datetime,
    ) -> Sequence[Step]:
        """Return the latest of the steps that attempts, appointments and answers are."""
        found = list(
            self._kept(
                "steps",
                (attempts, answers),
                lambda: _latest(Stages.steps(self, attempts, (), answers, now, limit)),
            )
        )
        taking_place, cancelled = self._kept(
            "steps of appointments", (known,), lambda: _steps_of(known)
        )
        for steps, until in ((taking_place, limit), (cancelled, now)):
            place = bisect_right(steps, until, key=_of_step)
            found += steps[max(place - 1, 0) : place]
        return found


def _with_first_questions(spans: Spans) -> Spans:
    """Return spans with the questions of each kind that may be due first."""
    kinds: dict[QuestionKind, Question] = {}
    for kind in QuestionKind:
        found = first(spans.questions, kind)
        if found is not None:
            kinds[kind] = found
    return spans._replace(questions=list(kinds.values()))


def _steps_of(known: Sequence[PlannedAppointment]) -> tuple[list[Step], list[Step]]:
    """Return the steps that appointments are, and those that cancellations are, in order."""
    both: tuple[list[Step], list[Step]] = ([], [])
    for one in known:
        both[0 if one.takes_place else 1].append((step_at(one), one.fact))
    for steps in both:
        steps.sort(key=by_time)
    return both


def _latest(steps: Sequence[Step]) -> Sequence[Step]:
    return [max(steps, key=by_time)] if steps else steps


def _of_step(step: Step) -> datetime:
    return step[0]


def _unless_past(last: datetime | None, now: datetime) -> datetime | None:
    """Return ``now`` if a result depends on it because something happens later, else None."""
    return now if last is not None and last > now else None
