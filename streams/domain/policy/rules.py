"""Types of the policy: rules with their conditions, clocks and waived guards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

from schemas.events import Conclusion, HouseholdKind, Lodging
from schemas.outcomes import Action, FactCheck, NearMiss
from schemas.types import Guard
from streams.domain.guards.status import PolicyTerms
from streams.domain.situation import MissKind, Situation

HIGHEST_LEVEL: Final = 5
"""Level 6 of the ladder, a forced-return referral, is a human decision, never an outcome here."""

LANGUAGES: Final = ("fr", "nl", "de", "en")

Value = int | str | bool | None


class Occasion(StrEnum):
    """Kind of cause that triggers a rule; the cause is part of the escalation's identity."""

    COUNTED_MISS = "counted_miss"
    LAST_MISS = "last_miss"
    LAST_INTERVIEW = "last_interview"
    LAST_CONTACT = "last_contact"


class Clock(StrEnum):
    """Instant of the procedure from which working days are counted."""

    NOTIFIED = "notified"
    TERM_END = "term_end"
    LAST_CONTACT = "last_contact"
    LAST_ATTEMPT = "last_attempt"


class RuleFacts(NamedTuple):
    """The facts that a rule may test. They include no age, no origin and no score."""

    counted_misses: int
    last_miss: MissKind | None
    interviews_held: int
    last_conclusion: Conclusion | None
    lodging: Lodging
    household: HouseholdKind
    residence_known: bool
    repeat_order: bool


FACTS: Final = RuleFacts._fields
"""Names of the facts that a rule may test."""


def rule_facts(situation: Situation) -> RuleFacts:
    """Return the facts of a situation that rules test; an unknown fact is None."""
    order, interviews, missed = situation.order, situation.interviews, situation.missed
    return RuleFacts(
        len(situation.counted),
        missed[-1].kind if missed else None,
        len(interviews),
        interviews[-1].event.conclusion if interviews else None,
        order.lodging,
        order.household.kind,
        order.residence_postcode is not None,
        order.repeat_order,
    )


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
        return FactCheck(fact=self.fact, found=value, test=self.operator, wanted=wanted)


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


class RuleMatches(NamedTuple):
    """Result of matching all rules' conditions against one set of facts (no clocks, no guards)."""

    matching: tuple[Rule, ...]
    """Rules whose conditions all hold, in table order."""
    checks: Mapping[str, tuple[FactCheck, ...]]
    """Conditions of the matching rules as evidence, by rule id."""
    near_misses: Mapping[str, NearMiss]
    """Conditions that do not hold for each of the other rules, by rule id."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole rule table. ``body`` is its text, ``digest`` the text's SHA-256 in hexadecimal."""

    version: str
    valid_from: date
    digest: str
    body: str
    terms: PolicyTerms
    interview_restarts_count: bool
    rules: tuple[Rule, ...]
    contest: Mapping[str, str]
    match_rules: Callable[[RuleFacts], RuleMatches] = field(init=False, repr=False, compare=False)
    """Match the rules against a set of facts. Cached: most cases have one of a few sets."""
    rules_above: Callable[[str, int], tuple[Rule, ...]] = field(
        init=False, repr=False, compare=False
    )
    """Return the rules above a level, nearest first: those of the group first, then by level."""

    def __post_init__(self) -> None:
        for name, function in (("match_rules", _match_rules), ("rules_above", _rules_above)):
            object.__setattr__(
                self, name, lru_cache(maxsize=_CACHE_SIZE)(partial(function, self.rules))
            )

    def rule(self, rule_id: str) -> Rule | None:
        """Return the rule with an id, or None."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)


_CACHE_SIZE: Final = 4096


def _match_rules(rules: tuple[Rule, ...], facts: RuleFacts) -> RuleMatches:
    failing = {rule.id: [c for c in rule.when if not c.holds(facts)] for rule in rules}
    matching = tuple(rule for rule in rules if not failing[rule.id])
    return RuleMatches(
        matching,
        {rule.id: tuple(condition.check(facts) for condition in rule.when) for rule in matching},
        {
            rule.id: NearMiss(
                rule_id=rule.id,
                level=rule.level,
                because=tuple(condition.text(facts) for condition in failing[rule.id]),
            )
            for rule in rules
            if failing[rule.id]
        },
    )


def _rules_above(rules: tuple[Rule, ...], group: str, level: int) -> tuple[Rule, ...]:
    higher = [rule for rule in rules if rule.level > level]
    return tuple(sorted(higher, key=lambda rule: (rule.group != group, rule.level)))


OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "at_least": lambda value, operand: value is not None and value >= operand,
    "is": lambda value, operand: value is not None and value == operand,
    "one_of": lambda value, operand: value is not None and value in operand,
    "none_of": lambda value, operand: value is not None and value not in operand,
}


def _code(value: Value) -> str:
    if value is None:
        return "unknown"
    return str(value).lower() if isinstance(value, bool) else str(value)
