"""Types of the policy: rules with their conditions, clocks and waived guards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple, final

from schemas.codes import Guard
from schemas.events import (
    AnswererRole,
    Conclusion,
    HouseholdKind,
    Lodging,
    OqtIssued,
    ReviewDecision,
    TermReason,
)
from schemas.outcomes import Action, FactCheck, NearMiss
from schemas.types import unvalidated
from streams.domain.guards.derived import TERMS
from streams.domain.questions import QuestionKind
from streams.domain.situation import DateToCheck, EndDue, InvitationDue, MissKind, Situation
from streams.domain.terms import Counting, PolicyTerms, QuestionRules, ReviewRule

HIGHEST_LEVEL: Final = 5
"""Level 6 of the ladder, a forced-return referral, is a human decision, never an outcome here."""

LANGUAGES: Final = ("fr", "nl", "de", "en")

Value = int | str | bool | None

_fact_check: Final = unvalidated(FactCheck)
_near_miss: Final = unvalidated(NearMiss)


class Occasion(StrEnum):
    """Kind of cause that triggers a rule; the cause is part of the escalation's identity."""

    COUNTED_MISS = "counted_miss"
    LAST_MISS = "last_miss"
    LAST_INTERVIEW = "last_interview"
    LAST_CONTACT = "last_contact"
    LAST_STEP = "last_step"
    LAST_REPORT = "last_report"
    ORDER = "order"
    FIRST_EVENT = "first_event"
    APPOINTMENT = "appointment"
    INVITATION = "invitation"
    ACCEPTANCE = "acceptance"
    PROSPECT = "prospect"
    DETENTION = "detention"
    QUESTION = "question"
    DECISION = "decision"
    END = "end"
    DATE = "date"
    REVIEW = "review"


class Clock(StrEnum):
    """Instant of the procedure from which working days are counted."""

    NOTIFIED = "notified"
    TERM_END = "term_end"
    LAST_CONTACT = "last_contact"
    LAST_ATTEMPT = "last_attempt"
    LAST_STEP = "last_step"
    LAST_REPORT = "last_report"
    FIRST_EVENT = "first_event"
    APPOINTMENT = "appointment"
    ACCEPTANCE = "acceptance"
    PROSPECT = "prospect"
    OCCASION = "occasion"
    """Instant since which the occasion itself is due; explanations show it."""


class RuleFacts(NamedTuple):
    """The facts that a rule may test. They include no age, no origin and no score."""

    counted_misses: int
    last_miss: MissKind | None
    interviews_held: int
    last_conclusion: Conclusion | None
    lodging: Lodging | None
    household: HouseholdKind | None
    residence_known: bool | None
    """Whether the person lives at a known place in Belgium now."""
    repeat_order: bool | None
    order_known: bool
    notification_proven: bool | None
    appointment_ever: bool | None
    """Whether an appointment was ever planned, held or missed under the order, or an answer says
    that a date was given."""
    appointment_open: bool | None
    """Whether one lies ahead, or has passed and was not reported yet."""
    unreported_appointment: bool
    invitation_due: InvitationDue
    return_accepted: bool
    prospect_open: bool
    """Whether the last interview saw a residence prospect and no procedure began since."""
    open_question: QuestionKind | None
    decision_missing: bool
    end_due: EndDue | None
    date_to_check: DateToCheck | None
    term_below_minimum: bool | None
    review_decision: ReviewDecision | None


FACTS: Final = RuleFacts._fields
"""Names of the facts that a rule may test."""


def rule_facts(situation: Situation, minimums: Mapping[TermReason, int]) -> RuleFacts:
    """Return the facts of a situation that rules test; an unknown fact is None.

    ``minimums`` are the shortest departure terms, by reason.
    """
    order, missed, known = situation.order, situation.missed, situation.appointments
    own = situation.own_interviews
    household = residence_known = repeat_order = notification_proven = None
    appointment_ever = appointment_open = term_below_minimum = None
    if order is not None:
        household = order.household.kind
        repeat_order = order.repeat_order
        notification_proven = order.notification.proven
        appointment_ever = bool(known.known or missed or own or situation.date_given)
        appointment_open = known.ahead is not None or known.unreported is not None
        term_below_minimum = _below_minimum(order, minimums)
    if situation.residence is not None:
        residence_known = situation.residence.known
    acceptance, question = situation.acceptance, situation.question
    return RuleFacts(  # by position: by name it costs three times as much
        len(situation.counted),
        missed[-1].kind if missed else None,
        len(situation.interviews),
        own[-1].event.conclusion if own else None,
        situation.lodging,
        household,
        residence_known,
        repeat_order,
        situation.order_known,
        notification_proven,
        appointment_ever,
        appointment_open,
        known.unreported is not None,
        situation.invitation_due,
        acceptance is not None and situation.now < acceptance.until,
        _prospect_open(situation),
        question.kind if question is not None else None,
        situation.decision_missing is not None,
        situation.end_due,
        situation.date_to_check,
        term_below_minimum,
        situation.review_decision,
    )


PROCEDURES: Final = (
    Guard.NEW_RESIDENCE_PROCEDURE,
    Guard.ASYLUM_REQUEST_PENDING,
    Guard.MARRIAGE_OR_COHABITATION_PENDING,
)
"""Procedures with which a residence prospect is used."""


def _prospect_open(situation: Situation) -> bool:
    prospect = situation.prospect
    if prospect is None or situation.now >= prospect.until:
        return False
    return not any(
        span.covers(situation.now)
        or (span.since or prospect.until) >= prospect.interview.event.held_at
        for guard in PROCEDURES
        for span in situation.spans.get(guard, ())
    )


def _below_minimum(order: OqtIssued, minimums: Mapping[TermReason, int]) -> bool:
    reason = order.departure_term_reason
    return reason is not None and order.departure_term_days < minimums.get(reason, 0)


OF_INTERVIEWS: Final = frozenset(
    {Clock.LAST_REPORT, Clock.LAST_CONTACT, Clock.LAST_ATTEMPT, Clock.LAST_STEP}
)
"""Clocks that an interview starts again."""
_AFTER_INTERVIEW: Final[Mapping[str, Value]] = {
    "counted_misses": 0,
    "last_miss": None,
    "last_conclusion": Conclusion.UNDECIDED,
    "appointment_ever": True,
    "unreported_appointment": False,
    "invitation_due": InvitationDue.NONE,
    "return_accepted": False,
    "prospect_open": False,
    "review_decision": None,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One cell of the table: a fact, an operator and the operand that the fact is compared with."""

    fact: str
    operator: str
    operand: int | str | bool | frozenset[str]

    def holds(self, facts: RuleFacts) -> bool:
        """Return whether the condition holds. It never holds for an unknown fact."""
        return OPERATORS[self.operator](getattr(facts, self.fact), self.operand)

    def text(self, facts: RuleFacts) -> str:
        """Return the condition as a line of codes, with the fact's value."""
        check = self.check(facts)
        return f"{check.fact} is {check.found}, needs {check.test} {check.wanted}"

    def check(self, facts: RuleFacts) -> FactCheck:
        """Return the condition as evidence, with the fact's value."""
        operand = self.operand
        wanted = ", ".join(sorted(operand)) if isinstance(operand, frozenset) else _code(operand)
        value = _code(getattr(facts, self.fact))
        return _fact_check(fact=self.fact, found=value, test=self.operator, wanted=wanted)


class Delay(NamedTuple):
    """A clock and the number of working days that must have passed since."""

    clock: Clock
    working_days: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. Within a group only the highest rule that is not blocked stands."""

    id: str
    group: str
    level: int
    action: Action
    occasion: Occasion
    nth: int
    when: tuple[Condition, ...]
    after: tuple[Delay, ...]
    waives: Mapping[Guard, str]
    text: Mapping[str, str]
    owner: AnswererRole = AnswererRole.COACH
    """Role that the proposal is addressed to."""
    covers: frozenset[str] = frozenset()
    """Groups in which nothing of the same or a lower level stands while this rule stands."""
    answer_working_days: int | None = None
    """How long it may stay unanswered; None for the policy's default."""
    requires: tuple[Guard, ...] = ()
    """Guards that must have been reported clear."""
    when_stopped: bool = False
    """Whether it stands although an end is due or the case was handed over."""

    waives_terms: bool = field(init=False)
    """Whether no term that began with the notification stops its days."""
    pauses_in_detention: bool = field(init=False)
    """Whether its days do not run during detention, because it does not apply there."""
    reads: frozenset[str] = field(init=False)
    """The facts that its conditions test."""
    clocks: frozenset[Clock] = field(init=False)
    """What its terms start with."""
    day_clocks: frozenset[Clock] = field(init=False)
    """Those of which working days are counted."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "waives_terms", self.waives.keys() >= TERMS)
        lodgings = [c for c in self.when if c.fact == "lodging" and c.operator not in FOR_NUMBERS]
        detained = any(OPERATORS[c.operator](Lodging.DETAINED, c.operand) for c in lodgings)
        object.__setattr__(self, "pauses_in_detention", bool(lodgings) and not detained)
        object.__setattr__(self, "reads", frozenset([c.fact for c in self.when]))
        object.__setattr__(self, "clocks", frozenset([delay.clock for delay in self.after]))
        counted = frozenset([delay.clock for delay in self.after if delay.working_days])
        object.__setattr__(self, "day_clocks", counted)


class Transition(NamedTuple):
    """Since when a version applies to cases that an earlier version began, and why."""

    open_cases_from: date
    because: str


@final
class RuleMatches:
    """Result of matching all rules' conditions against one set of facts (no clocks, no guards).

    What explains it is made when it is asked for: most matches are of no proposal.
    """

    matching: Final[tuple[Rule, ...]]
    """Rules whose conditions all hold, in table order."""
    required: Final[tuple[Guard, ...]]
    """Guards that the matching rules require to be reported clear."""
    _rules: Final[tuple[Rule, ...]]
    _facts: Final[RuleFacts]
    _checks: Final[dict[str, tuple[FactCheck, ...]]]
    _near_misses: Final[dict[str, NearMiss | None]]

    def __init__(self, rules: tuple[Rule, ...], facts: RuleFacts) -> None:
        self.matching = tuple([rule for rule in rules if _matches(rule, facts)])
        self.required = tuple({guard: None for rule in self.matching for guard in rule.requires})
        self._rules = rules
        self._facts = facts
        self._checks = {}
        self._near_misses = {}

    def checks_of(self, rule: Rule) -> tuple[FactCheck, ...]:
        """Return the conditions of a matching rule as evidence."""
        found = self._checks.get(rule.id)
        if found is None:
            found = tuple([condition.check(self._facts) for condition in rule.when])
            self._checks[rule.id] = found
        return found

    def near_miss(self, rule: Rule) -> NearMiss | None:
        """Return the conditions of a rule that do not hold; None if all do."""
        known = self._near_misses
        if rule.id not in known:
            facts = self._facts
            because = tuple([one.text(facts) for one in rule.when if not one.holds(facts)])
            known[rule.id] = (
                _near_miss(rule_id=rule.id, level=rule.level, because=because) if because else None
            )
        return known[rule.id]

    @property
    def near_misses(self) -> Mapping[str, NearMiss]:
        """Conditions that do not hold for each of the other rules, by rule id."""
        return {
            rule.id: near_miss
            for rule in self._rules
            if (near_miss := self.near_miss(rule)) is not None
        }


def _matches(rule: Rule, facts: RuleFacts) -> bool:
    for condition in rule.when:  # noqa: SIM110 - a generator costs three times as much
        if not condition.holds(facts):
            return False
    return True


@dataclass(frozen=True, slots=True, repr=False)
class Policy:
    """A whole rule table. ``body`` is its text, ``digest`` the text's SHA-256 in hexadecimal."""

    version: str
    valid_from: date
    digest: str
    body: str
    terms: PolicyTerms
    counting: Counting
    rules: tuple[Rule, ...]
    contest: Mapping[str, str]
    transition: Transition | None = None
    """None if the version applies to new orders only."""
    match_rules: Callable[[RuleFacts], RuleMatches] = field(init=False, repr=False, compare=False)
    """Match the rules against a set of facts. Cached: most cases have one of a few sets."""
    rules_above: Callable[[str, int], tuple[Rule, ...]] = field(
        init=False, repr=False, compare=False
    )
    """Return the rules above a level, nearest first: those of the group first, then by level."""

    ends_with_interview: Callable[[str], bool] = field(init=False, repr=False, compare=False)
    """Return whether the rule with an id never holds right after an interview without a conclusion,
    if interviews begin the count of misses anew. Cached."""

    questions: QuestionRules = field(init=False, repr=False, compare=False)
    """Rules whose answers change the situation, found by their actions."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "questions", _question_rules(self.rules))
        for name, function in (
            ("match_rules", RuleMatches),
            ("rules_above", _rules_above),
            ("ends_with_interview", _ends_with_interview),
        ):
            cached = lru_cache(maxsize=_CACHE_SIZE)(partial(function, self.rules))
            object.__setattr__(self, name, cached)

    def __repr__(self) -> str:
        return f"Policy({self.version}, {self.digest[:12]})"

    def rule(self, rule_id: str) -> Rule | None:
        """Return the rule with an id, or None."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)


def _question_rules(rules: tuple[Rule, ...]) -> QuestionRules:
    by_action = {rule.action: rule.id for rule in rules}
    reviews = [
        ReviewRule(rule.id, rule.nth if rule.occasion is Occasion.COUNTED_MISS else 0)
        for rule in rules
        if rule.action is Action.HUMAN_REVIEW
        and rule.occasion in (Occasion.COUNTED_MISS, Occasion.LAST_INTERVIEW)
    ]
    return QuestionRules(
        by_action.get(Action.CONFIRM_CIRCUMSTANCE),
        by_action.get(Action.REPORT_DECISION),
        by_action.get(Action.RECORD_END),
        by_action.get(Action.GIVE_DATE),
        tuple(reviews),
    )


_CACHE_SIZE: Final = 4096


def _rules_above(rules: tuple[Rule, ...], group: str, level: int) -> tuple[Rule, ...]:
    higher = [rule for rule in rules if rule.level > level]
    return tuple(sorted(higher, key=lambda rule: (rule.group != group, rule.level)))


def _ends_with_interview(rules: tuple[Rule, ...], rule_id: str) -> bool:
    rule = next(rule for rule in rules if rule.id == rule_id)
    return not rule.day_clocks.isdisjoint(OF_INTERVIEWS) or any(
        not OPERATORS[condition.operator](_AFTER_INTERVIEW[condition.fact], condition.operand)
        for condition in rule.when
        if condition.fact in _AFTER_INTERVIEW
    )


FOR_NUMBERS: Final = frozenset({"at_least", "at_most"})
"""Operators that compare numbers."""

OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "at_least": lambda value, operand: value is not None and value >= operand,
    "at_most": lambda value, operand: value is not None and value <= operand,
    "is": lambda value, operand: value is not None and value == operand,
    "one_of": lambda value, operand: value is not None and value in operand,
    "none_of": lambda value, operand: value is not None and value not in operand,
}


def _code(value: Value) -> str:
    if value is None:
        return "unknown"
    return str(value).lower() if isinstance(value, bool) else str(value)
