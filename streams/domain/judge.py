"""Judge a situation: which escalations should stand, which are blocked, and when to judge again.

Pure: the same situation, policy, calendar and instant always give the same judgement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, assert_never, final
from uuid import UUID

from schemas.codes import Guard
from schemas.instants import rfc3339
from schemas.outcomes import (
    Change,
    ClockStep,
    Evidence,
    GuardCheck,
    GuardReport,
    GuardState,
    NearMiss,
)
from schemas.outcomes import Pause as PauseEvidence
from schemas.types import unvalidated
from streams.domain.answers import Settlement
from streams.domain.causes import Cause, cause_of
from streams.domain.clocks import Agenda, Calendar, latest
from streams.domain.derivation import detentions, guard_pauses
from streams.domain.guards import evaluate
from streams.domain.guards.status import GuardStatus, guard_status, term_end
from streams.domain.identity import escalation_id
from streams.domain.letters import MAY_BE_REPORTED
from streams.domain.pauses import Pausing, paused_days
from streams.domain.policy.rules import Clock, Policy, Rule, rule_facts
from streams.domain.situation import Situation, Until

_evidence: Final = unvalidated(Evidence)
_clock_step: Final = unvalidated(ClockStep)
_pause: Final = unvalidated(PauseEvidence)
_guard_check: Final = unvalidated(GuardCheck)
_near_miss: Final = unvalidated(NearMiss)


@final
class Step:
    """One clock of a rule: the start of the count, its working days, its end and its pauses."""

    clock: Final[Clock]
    start: Final[datetime]
    working_days: Final[int]
    due: Final[datetime]
    paused: Final[tuple[Pausing, ...]]

    def __init__(
        self,
        clock: Clock,
        start: datetime,
        working_days: int,
        due: datetime,
        paused: tuple[Pausing, ...] = (),
    ) -> None:
        self.clock = clock
        self.start = start
        self.working_days = working_days
        self.due = due
        self.paused = paused

    @property
    def stopped(self) -> bool:
        """Return whether a pause without a known end stops the count: time alone ends it never."""
        return any(pause.until is None for pause in self.paused)


@final
class Proposal:
    """A matching rule that no guard blocks, with its occasion.

    ``guards`` are the guards that could block it, ``judge`` has the version that the rule is of.
    """

    judge: Final[Judge]
    rule: Final[Rule]
    cause: Final[Cause]
    clocks: Final[Sequence[Step]]
    guards: Final[Sequence[tuple[Guard, GuardStatus]]]

    def __init__(
        self,
        judge: Judge,
        rule: Rule,
        cause: Cause,
        clocks: Sequence[Step],
        guards: Sequence[tuple[Guard, GuardStatus]],
    ) -> None:
        self.judge = judge
        self.rule = rule
        self.cause = cause
        self.clocks = clocks
        self.guards = guards

    @property
    def due_at(self) -> datetime:
        """When the conditions were met: the latest of the facts, clocks and cleared guards."""
        due = [fact.time for fact in self.cause.facts] + [step.due for step in self.clocks]
        due += [r.cleared_at for _, r in self.guards if r.cleared_at is not None]
        if self.cause.since is not None:
            due.append(self.cause.since)
        return latest(due, self.judge.calendar.zone)


class Blocked(NamedTuple):
    """A matching rule and the guards that block it."""

    rule: Rule
    by: tuple[tuple[Guard, GuardStatus], ...]


@final
class Settled:
    """A proposal that an answer settled."""

    rule: Final[Rule]
    escalation_id: Final[UUID]
    settlement: Final[Settlement]

    def __init__(self, rule: Rule, escalation_id: UUID, settlement: Settlement) -> None:
        self.rule = rule
        self.escalation_id = escalation_id
        self.settlement = settlement


@final
class Judgement:
    """The escalations that should stand, what keeps others from it, and the coming checks."""

    proposals: Final[tuple[Proposal, ...]]
    blocked: Final[tuple[Blocked, ...]]
    settled: Final[tuple[Settled, ...]]
    covered: Final[Mapping[str, Rule]]
    """Group in which nothing stands, and the rule that covers it."""
    agenda: Final[Agenda]
    """The coming instants at which time alone changes the judgement."""

    def __init__(
        self,
        proposals: tuple[Proposal, ...],
        blocked: tuple[Blocked, ...],
        settled: tuple[Settled, ...],
        covered: Mapping[str, Rule],
        agenda: Agenda,
    ) -> None:
        self.proposals = proposals
        self.blocked = blocked
        self.settled = settled
        self.covered = covered
        self.agenda = agenda


class Judge:
    """Judges one situation. Evaluates the guards once, on first use.

    ``unknown`` are guards about which a report may be missing: they block whatever is known.
    ``earlier`` judges by the version that applied to the case until ``since``; None if the case
    began with this version. No version is applied backwards: what was complete before ``since`` is
    judged by the earlier one.
    """

    def __init__(
        self,
        situation: Situation,
        policy: Policy,
        calendar: Calendar,
        known_since: datetime | None = None,
        unknown: frozenset[Guard] = frozenset(),
        since: datetime | None = None,
        earlier: Judge | None = None,
    ) -> None:
        self.situation = situation
        self.since = since
        self.earlier = earlier
        self.unknown = unknown
        self.policy = policy
        self.calendar = calendar
        self.known_since = max(situation.first_event, known_since or situation.first_event)
        self.local_now = situation.moment.local
        minimums = policy.counting.minimum_departure_days
        self.facts = rule_facts(situation, minimums)
        self.matches = policy.match_rules(self.facts)
        self._guards: Mapping[Guard, GuardStatus] | None = None
        self._uncertain: Sequence[tuple[Guard, GuardStatus]] | None = None
        self._may_pause = bool(
            situation.spans
            or situation.acceptance is not None
            or situation.prospect is not None
            or len(situation.stays) > 1
        )

    @property
    def guards(self) -> Mapping[Guard, GuardStatus]:
        """Status of every guard at this instant."""
        if self._guards is None:
            guards = evaluate.evaluate_guards(self.situation, self.calendar, self.policy.terms)
            for guard in self.unknown:
                known = guards[guard]
                guards[guard] = guard_status(
                    guard,
                    GuardState.UNKNOWN,
                    MAY_BE_REPORTED,
                    changes_at=known.changes_at,
                    report=known.report,
                )
            self._guards = guards
        return self._guards

    @property
    def stopped(self) -> bool:
        """Whether only rules that ask about the end of the follow-up may stand."""
        return self.situation.end_due is not None or self.situation.handed_over

    def judgement(self) -> Judgement:
        """Return the judgement.

        Within a group, the highest rule that is not blocked wins. It stands unless an answer
        settled it, or a rule of another group covers it. Nothing stands on an ended case.
        """
        agenda = Agenda(self.situation.moment)
        judge: Judge | None = self
        while judge is not None:
            agenda.add_all(judge.situation.changes_at, "situation")
            judge = judge.earlier
        return self._judgement(agenda)

    def standing(self) -> tuple[Proposal, ...]:
        """Return the proposals of the judgement, for half of its cost in a case with many facts."""
        return self._judgement(Agenda(self.situation.moment)).proposals

    def _judgement(self, agenda: Agenda) -> Judgement:
        if self.situation.end is not None:
            return Judgement((), (), (), {}, agenda)
        candidates, blocked = self._candidates(agenda)
        winners: dict[str, Proposal] = {}
        for candidate in candidates:
            current = winners.get(candidate.rule.group)
            if current is None or candidate.rule.level > current.rule.level:
                winners[candidate.rule.group] = candidate
        unsettled, settled = self._unsettled(winners)
        standing: list[Proposal] = []
        covered: dict[str, Rule] = {}
        # Higher levels first, so that a rule which is itself covered covers nothing.
        for proposal in sorted(unsettled, key=lambda one: -one.rule.level):
            if proposal.rule.group not in covered:
                standing.append(proposal)
                covered |= dict.fromkeys(proposal.rule.covers, proposal.rule)
        return Judgement(tuple(standing), tuple(blocked), settled, covered, agenda)

    def _candidates(self, agenda: Agenda) -> tuple[list[Proposal], list[Blocked]]:
        """Return the matching rules that no guard blocks, and those that one does."""
        mine: list[Proposal] = []
        blocked: list[Blocked] = []
        highest: dict[str, int] = {}
        stopped = self.stopped
        for rule in self.matches.matching:
            if stopped and not rule.when_stopped:
                continue
            clocks = self.clocks(rule)
            pending = self._pending(clocks)
            if pending:
                for step in pending:
                    if not step.stopped:
                        agenda.add(step.due, "rule", rule.id)
                continue
            guards = self._applicable_guards(rule)
            for guard, status in guards:
                for at in status.changes_at:
                    agenda.add(at, "guard", guard)
            blocking = self._blocking(rule, guards)
            if blocking:
                blocked.append(Blocked(rule, tuple(blocking)))
                continue
            # In its group only a higher level wins, so the cause of the others is not needed.
            level = highest.get(rule.group, 0)
            if self.earlier is None and rule.level <= level:
                continue
            highest[rule.group] = rule.level
            mine.append(
                Proposal(self, rule, cause_of(rule, self.situation, self.calendar), clocks, guards)
            )
        if self.earlier is None or self.since is None:
            return mine, blocked
        return self._with_earlier(self.earlier, self.since, agenda, mine, blocked)

    def _with_earlier(
        self,
        earlier: Judge,
        since: datetime,
        agenda: Agenda,
        mine: Sequence[Proposal],
        blocked: Sequence[Blocked],
    ) -> tuple[list[Proposal], list[Blocked]]:
        """Leave to the earlier version what was complete before this one applied to the case.

        A cause that was complete by this version but not by the earlier one goes on by the earlier
        one, so that no cause is lost between the two.
        """
        complete = {_key(one) for one in mine if one.due_at < since}
        found = [one for one in mine if one.due_at >= since]
        theirs, blocked_earlier = earlier._candidates(agenda)
        found += [one for one in theirs if one.due_at < since or _key(one) in complete]
        # Of two rules of one level, the one that comes first in the table covers the other.
        found.sort(key=_place_in_table)
        decided = {one.rule.id for one in mine} | {one.rule.id for one in blocked}
        return found, [*blocked, *(one for one in blocked_earlier if one.rule.id not in decided)]

    def _unsettled(
        self, winners: Mapping[str, Proposal]
    ) -> tuple[list[Proposal], tuple[Settled, ...]]:
        if not self.situation.settlements:
            return list(winners.values()), ()
        standing: list[Proposal] = []
        settled: list[Settled] = []
        for proposal in winners.values():
            name = self.escalation_id(proposal)
            settlement = self.situation.settlement(proposal.rule.owner, name)
            if settlement is not None:
                settled.append(Settled(proposal.rule, name, settlement))
            else:
                standing.append(proposal)
        return standing, tuple(settled)

    def escalation_id(self, proposal: Proposal) -> UUID:
        """Return the id of the escalation that a proposal makes."""
        return escalation_id(self.situation.case_id, proposal.rule.id, proposal.cause.occasion)

    def evidence(self, proposal: Proposal, change: Change | None) -> Evidence:
        """Return everything that a person needs to check a proposal, with what would end it."""
        rule = proposal.rule
        return _evidence(
            event_ids=tuple([str(fact.event_id) for fact in proposal.cause.facts]),
            facts=self.matches.checks_of(rule),
            clocks=tuple(
                [
                    self.clock_step(step)
                    for step in [*proposal.clocks, *_occasion_step(proposal.cause)]
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
            change=change,
        )

    def clock_step(self, step: Step) -> ClockStep:
        """Return a clock as evidence; a pause that goes on is counted up to now."""
        return _clock_step(
            clock=step.clock,
            start=step.start,
            working_days=step.working_days,
            due=step.due,
            paused=_pause_evidence(step, self.situation.now),
        )

    def clocks(self, rule: Rule) -> list[Step]:
        """Return the deadline calculation of a rule.

        The days do not run while a guard blocks the rule, nor during detention if the rule does
        not apply to a person who is detained.
        """
        steps: list[Step] = []
        for clock, working_days in rule.after:
            start = self._start(clock)
            if not working_days:
                steps.append(Step(clock, start, 0, start))
            elif rule.waives_terms and not self._may_pause:
                due = self.calendar.after_working_days(start, working_days)
                steps.append(Step(clock, start, working_days, due))
            else:
                steps.append(self._paused_step(rule, clock, start, working_days))
        return steps

    def _paused_step(self, rule: Rule, clock: Clock, start: datetime, working_days: int) -> Step:
        pauses = [p for p in self._pauses(rule) if p.until is None or p.until > start]
        days = paused_days(pauses, self.calendar, start, self.situation.now)
        due = self.calendar.after_working_days(start, working_days, days)
        counted = tuple([pause for pause in pauses if pause.since < due])
        return Step(clock, start, working_days, due, counted)

    def _pauses(self, rule: Rule) -> list[Pausing]:
        situation = self.situation
        found: list[Pausing] = []
        if len(situation.stays) > 1 and rule.pauses_in_detention:
            found += detentions(situation.stays)
        found += guard_pauses(
            situation.pausings,
            situation.acceptance,
            situation.prospect,
            lambda guard: guard not in rule.waives,
        )
        order = situation.order
        if order is not None and not rule.waives_terms:
            ends = evaluate.term_ends(situation, order, self.calendar, self.policy.terms)
            found += [
                Pausing(guard.value, order.notified_at, end)
                for guard, end in ends.items()
                if guard not in rule.waives
            ]
        return found

    def reasons_against(self, rule: Rule) -> tuple[str, ...]:
        """Return why a rule does not stand now; an empty tuple if it does."""
        situation = self.situation
        if situation.end is not None:
            return (f"the follow-up ended: {situation.end.reason}",)
        if self.stopped and not rule.when_stopped:
            if situation.end_due is not None:
                return (f"an end is due: {situation.end_due}",)
            return ("handed to the Immigration Office",)
        near_miss = self.matches.near_miss(rule)
        if near_miss is not None:
            return near_miss.because
        pending = self._pending(self.clocks(rule))
        if pending:
            return tuple(
                f"{s.clock} + {s.working_days} working days: stopped by {s.paused[-1].cause}"
                if s.stopped
                else f"{s.clock} + {s.working_days} working days: not before {rfc3339(s.due)}"
                for s in pending
            )
        blocking = self._blocking(rule, self._applicable_guards(rule))
        return tuple(f"guard {g} is {r.state}: {r.because}" for g, r in blocking)

    def _pending(self, clocks: Sequence[Step]) -> list[Step]:
        # Both are local times, so Python compares them without looking up their offsets.
        return [step for step in clocks if step.due > self.local_now]

    def _applicable_guards(self, rule: Rule) -> list[tuple[Guard, GuardStatus]]:
        """Return the guards that can block or delay the rule: neither waived nor always clear."""
        if self._uncertain is None:
            self._uncertain = [pair for pair in self.guards.items() if not pair[1].always_clear]
        return [pair for pair in self._uncertain if pair[0] not in rule.waives]

    def _blocking(
        self, rule: Rule, guards: Sequence[tuple[Guard, GuardStatus]]
    ) -> list[tuple[Guard, GuardStatus]]:
        """Return the guards that block a rule, and those it requires that nobody reported clear."""
        blocking = [(guard, r) for guard, r in guards if r.state is not GuardState.CLEAR]
        for guard in rule.requires:
            status = self.guards[guard]
            if status.state is GuardState.CLEAR and status.report is not GuardReport.CLEAR:
                because, report = status.because, status.report
                missing = guard_status(guard, GuardState.NOT_REPORTED, because, report=report)
                blocking.append((guard, missing))
        return blocking

    def _start(self, clock: Clock) -> datetime:
        situation = self.situation
        order, unreported = situation.order, situation.appointments.unreported
        found: datetime | None
        match clock:
            case Clock.NOTIFIED:
                found = order.notified_at if order is not None else None
            case Clock.TERM_END:
                found = term_end(order, self.calendar) if order is not None else None
            case Clock.LAST_CONTACT:
                found = situation.last_contact
            case Clock.LAST_ATTEMPT:
                found = situation.last_attempt
            case Clock.LAST_STEP:
                found = self._once_known(situation.last_step)
            case Clock.LAST_REPORT:
                found = self._once_known(situation.last_report.time)
            case Clock.FIRST_EVENT:
                found = self.known_since
            case Clock.APPOINTMENT:
                found = unreported.at if unreported is not None else None
            case Clock.ACCEPTANCE:
                found = _held_at(situation.acceptance)
            case Clock.PROSPECT:
                found = _held_at(situation.prospect)
            case Clock.OCCASION:
                found = None
            case _:
                assert_never(clock)
        if found is not None:
            return found
        return order.notified_at if order is not None else situation.first_event

    def _once_known(self, instant: datetime) -> datetime:
        """Return when a clock starts: without an order, not before the case is known."""
        return instant if self.situation.order is not None else max(instant, self.known_since)

    def _nearest(self, rule: Rule) -> NearMiss | None:
        for candidate in self.policy.rules_above(rule.group, rule.level):
            near_miss = self.matches.near_miss(candidate)
            if near_miss is not None:
                return near_miss
            because = self.reasons_against(candidate)
            if because:
                return _near_miss(rule_id=candidate.id, level=candidate.level, because=because)
        return None


def _key(proposal: Proposal) -> tuple[str, str]:
    return proposal.rule.id, proposal.cause.occasion


def _place_in_table(proposal: Proposal) -> int:
    return proposal.judge.policy.rules.index(proposal.rule)


def _held_at(until: Until | None) -> datetime | None:
    return until.interview.event.held_at if until is not None else None


def _occasion_step(cause: Cause) -> list[Step]:
    if cause.since is None:
        return []
    return [Step(Clock.OCCASION, cause.since, 0, cause.since)]


def _pause_evidence(step: Step, now: datetime) -> tuple[PauseEvidence, ...]:
    return tuple(
        [
            _pause(cause=pause.cause, since=pause.since, until=pause.until or now)
            for pause in step.paused
        ]
    )


def _waived_check(guard: Guard, status: GuardStatus, reason: str) -> GuardCheck:
    because = f"{status.because}; waived: {reason}"
    return _guard_check(guard=guard, state=GuardState.WAIVED, because=because, report=status.report)
