"""Which escalations a situation calls for, which are held back and by what, and when to look again.

Pure and repeatable: the same situation, policy, calendar and instant give the same judgement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from schemas.outcomes import ClockStep, Evidence, GuardCheck, GuardState, NearMiss
from schemas.types import Guard
from streams.domain import guards
from streams.domain.case import Fact
from streams.domain.clocks import Calendar
from streams.domain.guards import Moment, Reading
from streams.domain.policy import Clock, Occasion, Policy, Rule
from streams.domain.situation import Situation


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule that matches and that no guard blocks, with its occasion."""

    rule: Rule
    occasion: str
    facts: tuple[Fact, ...]
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Blocked:
    """A rule that matches and is held back, and by what."""

    rule: Rule
    by: tuple[tuple[Guard, Reading], ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What stands, what is held back, and when time alone can change either."""

    wanted: tuple[Proposal, ...]
    blocked: tuple[Blocked, ...]
    next_check: datetime | None


@dataclass(slots=True)
class Judge:
    """Judges one situation at one instant; guards are read once each, and only when needed."""

    situation: Situation
    policy: Policy
    calendar: Calendar
    now: datetime
    _readings: dict[Guard, Reading] = field(default_factory=dict)

    def judgement(self) -> Judgement:
        """Return what the policy wants; within a group the highest rule not blocked wins."""
        winners: dict[str, Proposal] = {}
        blocked: list[Blocked] = []
        instants: list[datetime] = []
        for rule in self.policy.rules:
            if not all(condition.holds(self.situation) for condition in rule.when):
                continue
            clocks = self.clocks(rule)
            instants += [step.due for step in clocks]
            if any(step.due > self.now for step in clocks):
                continue
            readings = [(g, self.guard(g)) for g in Guard if g not in rule.waives]
            instants += [at for _, reading in readings for at in reading.changes_at]
            against = [(g, r) for g, r in readings if r.state is not GuardState.CLEAR]
            if against:
                blocked.append(Blocked(rule, tuple(against)))
                continue
            current = winners.get(rule.group)
            if current is None or rule.level > current.rule.level:
                winners[rule.group] = self._proposal(rule, clocks, readings)
        return Judgement(
            wanted=tuple(winners.values()),
            blocked=tuple(blocked),
            next_check=min((at for at in instants if at > self.now), default=None),
        )

    def evidence(self, proposal: Proposal) -> Evidence:
        """Return everything needed to check a proposal by hand."""
        rule = proposal.rule
        checks = []
        for guard in Guard:
            reading = self.guard(guard)
            if guard in rule.waives and reading.state is not GuardState.CLEAR:
                because = f"{reading.because}; waived: {rule.waives[guard]}"
                checks.append(GuardCheck(guard=guard, state=GuardState.WAIVED, because=because))
            else:
                checks.append(GuardCheck(guard=guard, state=reading.state, because=reading.because))
        return Evidence(
            event_ids=tuple(str(fact.event_id) for fact in proposal.facts),
            facts=tuple(condition.check(self.situation) for condition in rule.when),
            clocks=tuple(self.clocks(rule)),
            guards=tuple(checks),
            nearest=self._nearest(rule),
        )

    def clocks(self, rule: Rule) -> list[ClockStep]:
        """Return the deadline arithmetic of a rule."""
        steps = []
        for delay in rule.after:
            start = self._start(delay.clock)
            due = start
            if delay.working_days:
                due = self.calendar.after_working_days(start, delay.working_days)
            days = delay.working_days
            steps.append(ClockStep(clock=delay.clock, start=start, working_days=days, due=due))
        return steps

    def guard(self, guard: Guard) -> Reading:
        """Return a guard as read at this instant."""
        reading = self._readings.get(guard)
        if reading is None:
            moment = Moment(self.situation, self.calendar, self.policy.terms, self.now)
            reading = self._readings[guard] = guards.read(guard, moment)
        return reading

    def against(self, rule: Rule) -> tuple[str, ...]:
        """Return why a rule does not stand now; empty when it does."""
        failing = [c.text(self.situation) for c in rule.when if not c.holds(self.situation)]
        if failing:
            return tuple(failing)
        late = [s for s in self.clocks(rule) if s.due > self.now]
        if late:
            return tuple(
                f"{s.clock} + {s.working_days} working days: not before {s.due.isoformat()}"
                for s in late
            )
        return tuple(
            f"guard {g} is {r.state}: {r.because}"
            for g in Guard
            if g not in rule.waives and (r := self.guard(g)).state is not GuardState.CLEAR
        )

    def _start(self, clock: Clock) -> datetime:
        situation = self.situation
        if clock is Clock.TERM_END:
            return guards.term_end(situation, self.calendar)
        if clock is Clock.LAST_CONTACT:
            return situation.last_contact
        if clock is Clock.LAST_ATTEMPT and situation.last_attempt is not None:
            return situation.last_attempt
        return situation.order.notified_at

    def _proposal(
        self, rule: Rule, clocks: Sequence[ClockStep], readings: Sequence[tuple[Guard, Reading]]
    ) -> Proposal:
        occasion, facts = self._occasion(rule)
        due = [fact.time for fact in facts] + [step.due for step in clocks]
        due += [r.cleared_at for _, r in readings if r.cleared_at is not None]
        return Proposal(rule, occasion, facts, max(due))

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
        harsher = [r for r in self.policy.rules if r.level > rule.level]
        harsher.sort(key=lambda r: (r.group != rule.group, r.level))
        for candidate in harsher:
            because = self.against(candidate)
            if because:
                return NearMiss(rule_id=candidate.id, level=candidate.level, because=because)
        return None
