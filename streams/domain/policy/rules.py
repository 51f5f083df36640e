"""The rows of a policy: conditions on facts, clocks that must have run out, guards waived."""

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
"""Level 6 of the ladder, a forced-return referral, is a human decision and no outcome of ours."""

LANGUAGES: Final = ("fr", "nl", "de", "en")

Value = int | str | bool | None


class Occasion(StrEnum):
    """What a rule is set off by; part of the escalation's identity."""

    COUNTED_MISS = "counted_miss"
    LAST_MISS = "last_miss"
    LAST_INTERVIEW = "last_interview"
    LAST_CONTACT = "last_contact"


class Clock(StrEnum):
    """An instant of the procedure from which time is counted."""

    NOTIFIED = "notified"
    TERM_END = "term_end"
    LAST_CONTACT = "last_contact"
    LAST_ATTEMPT = "last_attempt"


class Facts(NamedTuple):
    """What a rule may test of a situation. Age, origin or any score are not among it."""

    counted_misses: int
    last_miss: MissKind | None
    interviews_held: int
    last_conclusion: Conclusion | None
    lodging: Lodging
    household: HouseholdKind
    residence_known: bool
    repeat_order: bool


FACTS: Final = Facts._fields
"""Facts that a rule may test, by name."""


def measure(situation: Situation) -> Facts:
    """Return the facts of a situation; None where one is not known."""
    order, held, missed = situation.order, situation.held, situation.missed
    return Facts(
        len(situation.counted),
        missed[-1].reading if missed else None,
        len(held),
        held[-1].event.conclusion if held else None,
        order.lodging,
        order.household.kind,
        order.residence_postcode is not None,
        order.repeat_order,
    )


@dataclass(frozen=True, slots=True)
class Condition:
    """One cell of the table: a fact, an operator and what it is held against."""

    fact: str
    operator: str
    operand: int | str | bool | frozenset[str]

    def holds(self, facts: Facts) -> bool:
        """Whether the fact fits; a fact that is not known never does."""
        return OPERATORS[self.operator](getattr(facts, self.fact), self.operand)

    def text(self, facts: Facts) -> str:
        """Return the condition as a line of codes, with the value found."""
        check = self.check(facts)
        return f"{check.fact} is {check.found}, needs {check.test} {check.wanted}"

    def check(self, facts: Facts) -> FactCheck:
        """Return the condition as evidence, with the value found."""
        operand = self.operand
        wanted = ", ".join(sorted(operand)) if isinstance(operand, frozenset) else _code(operand)
        found = _code(getattr(facts, self.fact))
        return FactCheck(fact=self.fact, found=found, test=self.operator, wanted=wanted)


class Delay(NamedTuple):
    """A clock and the working days that must have passed since."""

    clock: Clock
    working_days: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. Within a group the highest rule that is not blocked stands."""

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


class Fit(NamedTuple):
    """How the conditions of a whole table fit the same facts; clocks and guards play no part."""

    matching: tuple[Rule, ...]
    """Rules all of whose conditions hold, in the order of the table."""
    checks: Mapping[str, tuple[FactCheck, ...]]
    """The conditions of those, as evidence, by rule."""
    misses: Mapping[str, NearMiss]
    """The other rules and the conditions that do not hold, by rule."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole rule table. ``digest`` is the SHA-256 of its text, hexadecimal."""

    version: str
    valid_from: date
    digest: str
    body: str
    terms: PolicyTerms
    interview_restarts_count: bool
    rules: tuple[Rule, ...]
    contest: Mapping[str, str]
    fit: Callable[[Facts], Fit] = field(init=False, repr=False, compare=False)
    """How the table fits these facts; kept, since the facts of most cases are the same few."""
    harsher: Callable[[str, int], tuple[Rule, ...]] = field(init=False, repr=False, compare=False)
    """The rules above a group's level, nearest first: those of the group itself, then by level."""

    def __post_init__(self) -> None:
        for name, work in (("fit", _fit), ("harsher", _harsher)):
            object.__setattr__(self, name, lru_cache(maxsize=_KEPT)(partial(work, self.rules)))

    def rule(self, rule_id: str) -> Rule | None:
        """Return a rule by id."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)


_KEPT: Final = 4096


def _fit(rules: tuple[Rule, ...], facts: Facts) -> Fit:
    failing = {rule.id: [c for c in rule.when if not c.holds(facts)] for rule in rules}
    matching = tuple(rule for rule in rules if not failing[rule.id])
    return Fit(
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


def _harsher(rules: tuple[Rule, ...], group: str, level: int) -> tuple[Rule, ...]:
    found = [rule for rule in rules if rule.level > level]
    return tuple(sorted(found, key=lambda rule: (rule.group != group, rule.level)))


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
