"""Judge a situation: which escalations should stand, which are blocked, and when to judge again.

Pure: the same situation, policy, calendar and instant always give the same judgement.
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
from streams.domain.policy.rules import Clock, Occasion, Policy, Rule, rule_facts
from streams.domain.situation import Situation


class Step(NamedTuple):
    """One clock of a rule: the start of the count, its working days and its end."""

    clock: Clock
    start: datetime
    working_days: int
    due: datetime


class Proposal(NamedTuple):
    """A matching rule that no guard blocks, with its occasion.

    ``facts`` are those that the rule is based on; ``guards`` are the guards that could block it.
    """

    rule: Rule
    occasion: str
    facts: tuple[Fact, ...]
    clocks: Sequence[Step]
    guards: Sequence[tuple[Guard, GuardStatus]]

    @property
    def due_at(self) -> datetime:
        """When the cause was complete: the latest of its facts, clocks and cleared guards."""
        due = [fact.time for fact in self.facts] + [step.due for step in self.clocks]
        due += [r.cleared_at for _, r in self.guards if r.cleared_at is not None]
        return max(due)


class Blocked(NamedTuple):
    """A matching rule and the guards that block it."""

    rule: Rule
    by: tuple[tuple[Guard, GuardStatus], ...]


class Judgement(NamedTuple):
    """The escalations that should stand, the blocked rules, and when time alone changes either."""

    proposals: tuple[Proposal, ...]
    blocked: tuple[Blocked, ...]
    next_check: datetime | None


class Judge:
    """Judges one situation at one instant. Evaluates the guards once, on first use."""

    def __init__(
        self, situation: Situation, policy: Policy, calendar: Calendar, now: datetime
    ) -> None:
        self.situation = situation
        self.policy = policy
        self.calendar = calendar
        self.now = now
        self.local_now = calendar.local(now)
        self.matches = policy.match_rules(rule_facts(situation))
        self._guards: Mapping[Guard, GuardStatus] | None = None

    @property
    def guards(self) -> Mapping[Guard, GuardStatus]:
        """Status of every guard at this instant."""
        if self._guards is None:
            context = GuardContext.of(self.situation, self.calendar, self.policy.terms, self.now)
            self._guards = evaluate.evaluate_guards(context)
        return self._guards

    def judgement(self) -> Judgement:
        """Return the judgement. Within a group, the highest rule that is not blocked wins."""
        winners: dict[str, Proposal] = {}
        blocked: list[Blocked] = []
        instants: list[datetime] = []
        for rule in self.matches.matching:
            clocks = self.clocks(rule)
            pending = self._pending(clocks)
            if pending:
                instants += [step.due for step in pending]
                continue
            guards = self._applicable_guards(rule)
            for _, status in guards:
                instants += status.changes_at
            blocking = _blocking(guards)
            if blocking:
                blocked.append(Blocked(rule, tuple(blocking)))
                continue
            current = winners.get(rule.group)
            if current is None or rule.level > current.rule.level:
                occasion, facts = self._occasion(rule)
                winners[rule.group] = Proposal(rule, occasion, facts, clocks, guards)
        return Judgement(tuple(winners.values()), tuple(blocked), min(instants, default=None))

    def evidence(self, proposal: Proposal) -> Evidence:
        """Return everything that a person needs to check a proposal."""
        rule = proposal.rule
        return Evidence(
            event_ids=tuple([str(fact.event_id) for fact in proposal.facts]),
            facts=self.matches.checks[rule.id],
            clocks=tuple(
                [
                    ClockStep(clock=s.clock, start=s.start, working_days=s.working_days, due=s.due)
                    for s in proposal.clocks
                ]
            ),
            guards=tuple(
                [
                    status.check
                    if status.state is GuardState.CLEAR or guard not in rule.waives
                    else _waived_check(guard, status, rule.waives[guard])
                    for guard, status in self.guards.items()
                ]
            ),
            nearest=self._nearest(rule),
        )

    def clocks(self, rule: Rule) -> list[Step]:
        """Return the deadline calculation of a rule."""
        steps = []
        for clock, working_days in rule.after:
            start = due = self._start(clock)
            if working_days:
                due = self.calendar.after_working_days(start, working_days)
            steps.append(Step(clock, start, working_days, due))
        return steps

    def reasons_against(self, rule: Rule) -> tuple[str, ...]:
        """Return why a rule does not stand now; an empty tuple if it does."""
        near_miss = self.matches.near_misses.get(rule.id)
        if near_miss is not None:
            return near_miss.because
        pending = self._pending(self.clocks(rule))
        if pending:
            return tuple(
                f"{s.clock} + {s.working_days} working days: not before {s.due.isoformat()}"
                for s in pending
            )
        blocking = _blocking(self._applicable_guards(rule))
        return tuple(f"guard {g} is {r.state}: {r.because}" for g, r in blocking)

    def _pending(self, clocks: Sequence[Step]) -> list[Step]:
        # Both are local times, so Python compares them without looking up their offsets.
        return [step for step in clocks if step.due > self.local_now]

    def _applicable_guards(self, rule: Rule) -> list[tuple[Guard, GuardStatus]]:
        """Return the guards that can block or delay the rule: neither waived nor always clear."""
        return [
            (guard, status)
            for guard, status in self.guards.items()
            if not status.always_clear and guard not in rule.waives
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
                interview = situation.interviews[-1]
                return f"{prefix}/interview/{interview.event.interview_id}", (order, interview.fact)
            case Occasion.LAST_CONTACT:
                contact = situation.last_contact_fact
                since = self.calendar.local_date(situation.last_contact).isoformat()
                return f"{prefix}/silent-since/{since}", (
                    (order,) if contact is order else (order, contact)
                )

    def _nearest(self, rule: Rule) -> NearMiss | None:
        for candidate in self.policy.rules_above(rule.group, rule.level):
            near_miss = self.matches.near_misses.get(candidate.id)
            if near_miss is not None:
                return near_miss
            because = self.reasons_against(candidate)
            if because:
                return NearMiss(rule_id=candidate.id, level=candidate.level, because=because)
        return None


def _blocking(guards: Sequence[tuple[Guard, GuardStatus]]) -> list[tuple[Guard, GuardStatus]]:
    return [(guard, r) for guard, r in guards if r.state is not GuardState.CLEAR]


def _waived_check(guard: Guard, status: GuardStatus, reason: str) -> GuardCheck:
    because = f"{status.because}; waived: {reason}"
    return GuardCheck(guard=guard, state=GuardState.WAIVED, because=because)
