"""Which escalations a situation calls for, which are held back and by what, and when to look again.

Pure and repeatable: the same situation, policy, calendar and instant give the same judgement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.outcomes import ClockStep, Evidence, GuardCheck, GuardState, NearMiss
from schemas.types import Guard
from streams.domain.case import Fact
from streams.domain.clocks import Calendar
from streams.domain.guards import evaluate
from streams.domain.guards.status import GuardContext, GuardStatus, term_end
from streams.domain.policy.rules import Clock, Occasion, Policy, Rule, measure
from streams.domain.situation import Situation


class Step(NamedTuple):
    """One clock of a rule: where its count starts, and where it ends."""

    clock: Clock
    start: datetime
    working_days: int
    due: datetime


class Proposal(NamedTuple):
    """A rule that matches and that no guard blocks, with its occasion."""

    rule: Rule
    occasion: str
    facts: tuple[Fact, ...]
    clocks: Sequence[Step]
    heeded: Sequence[tuple[Guard, GuardStatus]]

    @property
    def due_at(self) -> datetime:
        """When the cause was complete: its last fact, clock or guard out of the way."""
        due = [fact.time for fact in self.facts] + [step.due for step in self.clocks]
        due += [r.cleared_at for _, r in self.heeded if r.cleared_at is not None]
        return max(due)


class Blocked(NamedTuple):
    """A rule that matches and is held back, and by what."""

    rule: Rule
    by: tuple[tuple[Guard, GuardStatus], ...]


class Judgement(NamedTuple):
    """What stands, what is held back, and when time alone can change either."""

    wanted: tuple[Proposal, ...]
    blocked: tuple[Blocked, ...]
    next_check: datetime | None


class Judge:
    """Judges one situation at one instant; the guards are read once, and only when needed."""

    def __init__(
        self, situation: Situation, policy: Policy, calendar: Calendar, now: datetime
    ) -> None:
        self.situation = situation
        self.policy = policy
        self.calendar = calendar
        self.now = now
        self.local = calendar.local(now)
        self.fit = policy.fit(measure(situation))
        self._readings: Mapping[Guard, GuardStatus] | None = None

    @property
    def guards(self) -> Mapping[Guard, GuardStatus]:
        """Every guard as read at this instant."""
        if self._readings is None:
            moment = GuardContext.of(self.situation, self.calendar, self.policy.terms, self.now)
            self._readings = evaluate.evaluate_guards(moment)
        return self._readings

    def judgement(self) -> Judgement:
        """Return what the policy wants; within a group the highest rule not blocked wins."""
        winners: dict[str, Proposal] = {}
        blocked: list[Blocked] = []
        instants: list[datetime] = []
        for rule in self.fit.matching:
            clocks = self.clocks(rule)
            late = self._late(clocks)
            if late:
                instants += [step.due for step in late]
                continue
            heeded = self._heeded(rule)
            for _, reading in heeded:
                instants += reading.changes_at
            blocking = _blocking(heeded)
            if blocking:
                blocked.append(Blocked(rule, tuple(blocking)))
                continue
            current = winners.get(rule.group)
            if current is None or rule.level > current.rule.level:
                occasion, facts = self._occasion(rule)
                winners[rule.group] = Proposal(rule, occasion, facts, clocks, heeded)
        return Judgement(tuple(winners.values()), tuple(blocked), min(instants, default=None))

    def evidence(self, proposal: Proposal) -> Evidence:
        """Return everything needed to check a proposal by hand."""
        rule = proposal.rule
        return Evidence(
            event_ids=tuple([str(fact.event_id) for fact in proposal.facts]),
            facts=self.fit.checks[rule.id],
            clocks=tuple(
                [
                    ClockStep(clock=s.clock, start=s.start, working_days=s.working_days, due=s.due)
                    for s in proposal.clocks
                ]
            ),
            guards=tuple(
                [
                    reading.check
                    if reading.state is GuardState.CLEAR or guard not in rule.waives
                    else _waived(guard, reading, rule.waives[guard])
                    for guard, reading in self.guards.items()
                ]
            ),
            nearest=self._nearest(rule),
        )

    def clocks(self, rule: Rule) -> list[Step]:
        """Return the deadline arithmetic of a rule."""
        steps = []
        for clock, working_days in rule.after:
            start = due = self._start(clock)
            if working_days:
                due = self.calendar.after_working_days(start, working_days)
            steps.append(Step(clock, start, working_days, due))
        return steps

    def against(self, rule: Rule) -> tuple[str, ...]:
        """Return why a rule does not stand now; empty when it does."""
        miss = self.fit.misses.get(rule.id)
        if miss is not None:
            return miss.because
        late = self._late(self.clocks(rule))
        if late:
            return tuple(
                f"{s.clock} + {s.working_days} working days: not before {s.due.isoformat()}"
                for s in late
            )
        blocking = _blocking(self._heeded(rule))
        return tuple(f"guard {g} is {r.state}: {r.because}" for g, r in blocking)

    def _late(self, clocks: Sequence[Step]) -> list[Step]:
        # Most fall due at a local midnight: against local time no offset need be looked up.
        return [step for step in clocks if step.due > self.local]

    def _heeded(self, rule: Rule) -> list[tuple[Guard, GuardStatus]]:
        """Return the guards that the rule does not waive and that are not idle."""
        return [
            (guard, reading)
            for guard, reading in self.guards.items()
            if not reading.idle and guard not in rule.waives
        ]

    def _start(self, clock: Clock) -> datetime:
        situation = self.situation
        if clock is Clock.TERM_END:
            return term_end(situation, self.calendar)
        if clock is Clock.LAST_CONTACT:
            return situation.last_contact
        if clock is Clock.LAST_ATTEMPT and situation.last_attempt is not None:
            return situation.last_attempt
        return situation.order.notified_at

    def _occasion(self, rule: Rule) -> tuple[str, tuple[Fact, ...]]:
        situation = self.situation
        order = situation.order_fact
        prefix = situation.order.order_id
        match rule.occasion:
            case Occasion.COUNTED_MISS:
                missed = situation.counted[: rule.nth]
                name = missed[-1].event.appointment_id
                return f"{prefix}/miss/{name}", (order, *(m.fact for m in missed))
            case Occasion.LAST_MISS:
                last = situation.missed[-1]
                return f"{prefix}/miss/{last.event.appointment_id}", (order, last.fact)
            case Occasion.LAST_INTERVIEW:
                held = situation.held[-1]
                return f"{prefix}/interview/{held.event.interview_id}", (order, held.fact)
            case Occasion.LAST_CONTACT:
                contact = situation.last_contact_fact
                since = self.calendar.local_date(situation.last_contact).isoformat()
                return f"{prefix}/silent-since/{since}", (
                    (order,) if contact is order else (order, contact)
                )

    def _nearest(self, rule: Rule) -> NearMiss | None:
        for candidate in self.policy.harsher(rule.group, rule.level):
            miss = self.fit.misses.get(candidate.id)
            if miss is not None:
                return miss
            because = self.against(candidate)
            if because:
                return NearMiss(rule_id=candidate.id, level=candidate.level, because=because)
        return None


def _blocking(readings: Sequence[tuple[Guard, GuardStatus]]) -> list[tuple[Guard, GuardStatus]]:
    return [(guard, r) for guard, r in readings if r.state is not GuardState.CLEAR]


def _waived(guard: Guard, reading: GuardStatus, reason: str) -> GuardCheck:
    because = f"{reading.because}; waived: {reason}"
    return GuardCheck(guard=guard, state=GuardState.WAIVED, because=because)
