"""Which escalations a situation calls for, which are held back and by what, and when to look again.

Pure and repeatable: the same situation, policy, calendar and instant give the same judgement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache

from schemas.outcomes import ClockStep, Evidence, GuardCheck, GuardState, NearMiss
from schemas.types import Guard
from streams.domain import guards
from streams.domain.case import Fact
from streams.domain.clocks import Calendar
from streams.domain.guards import Moment, Reading
from streams.domain.rules import Clock, Occasion, Policy, Rule
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


@dataclass(frozen=True, slots=True)
class Step:
    """One clock of a rule: where its count starts, and where it ends."""

    clock: Clock
    start: datetime
    working_days: int
    due: datetime


@lru_cache(maxsize=8192)
def _check(guard: Guard, state: GuardState, because: str) -> GuardCheck:
    """Seventeen times an escalation, mostly the same: making them anew costs more than all else."""
    return GuardCheck(guard=guard, state=state, because=because)


class Judge:
    """Judges one situation at one instant; the guards are read once, and only when needed."""

    def __init__(
        self, situation: Situation, policy: Policy, calendar: Calendar, now: datetime
    ) -> None:
        self.situation = situation
        self.policy = policy
        self.calendar = calendar
        self.now = now

    @cached_property
    def guards(self) -> Mapping[Guard, Reading]:
        """Every guard as read at this instant."""
        return guards.read(Moment(self.situation, self.calendar, self.policy.terms, self.now))

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
            readings = [self.guards[guard] for guard in rule.heeds]
            instants += [at for reading in readings for at in reading.changes_at]
            if any(reading.state is not GuardState.CLEAR for reading in readings):
                blocked.append(Blocked(rule, tuple(self._blocking(rule))))
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
        for guard, reading in self.guards.items():
            state, because = reading.state, reading.because
            if guard in rule.waives and state is not GuardState.CLEAR:
                state = GuardState.WAIVED
                because = f"{because}; waived: {rule.waives[guard]}"
            checks.append(_check(guard, state, because))
        return Evidence(
            event_ids=tuple(str(fact.event_id) for fact in proposal.facts),
            facts=tuple(condition.check(self.situation) for condition in rule.when),
            clocks=tuple(
                ClockStep(clock=s.clock, start=s.start, working_days=s.working_days, due=s.due)
                for s in self.clocks(rule)
            ),
            guards=tuple(checks),
            nearest=self._nearest(rule),
        )

    def clocks(self, rule: Rule) -> list[Step]:
        """Return the deadline arithmetic of a rule."""
        steps = []
        for delay in rule.after:
            start = due = self._start(delay.clock)
            if delay.working_days:
                due = self.calendar.after_working_days(start, delay.working_days)
            steps.append(Step(delay.clock, start, delay.working_days, due))
        return steps

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
        return tuple(f"guard {g} is {r.state}: {r.because}" for g, r in self._blocking(rule))

    def _blocking(self, rule: Rule) -> list[tuple[Guard, Reading]]:
        readings = [(guard, self.guards[guard]) for guard in rule.heeds]
        return [(guard, r) for guard, r in readings if r.state is not GuardState.CLEAR]

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
        self, rule: Rule, clocks: Sequence[Step], readings: Sequence[Reading]
    ) -> Proposal:
        occasion, facts = self._occasion(rule)
        due = [fact.time for fact in facts] + [step.due for step in clocks]
        due += [r.cleared_at for r in readings if r.cleared_at is not None]
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
