"""The rows of a policy: conditions on facts, clocks that must have run out, guards waived."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from schemas.outcomes import Action, FactCheck
from schemas.types import Guard
from streams.domain.guards import Terms
from streams.domain.situation import Situation

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


@dataclass(frozen=True, slots=True)
class Condition:
    """One cell of the table: a fact, an operator and what it is held against."""

    fact: str
    operator: str
    operand: int | str | bool | frozenset[str]
    value: Callable[[Situation], Value]

    def holds(self, situation: Situation) -> bool:
        """Whether the fact fits; a fact that is not known never does."""
        return OPERATORS[self.operator](self.value(situation), self.operand)

    def text(self, situation: Situation) -> str:
        """Return the condition as a line of codes, with the value found."""
        check = self.check(situation)
        return f"{check.fact} is {check.found}, needs {check.test} {check.wanted}"

    def check(self, situation: Situation) -> FactCheck:
        """Return the condition as evidence, with the value found."""
        operand = self.operand
        wanted = ", ".join(sorted(operand)) if isinstance(operand, frozenset) else _code(operand)
        found = _code(self.value(situation))
        return FactCheck(fact=self.fact, found=found, test=self.operator, wanted=wanted)


@dataclass(frozen=True, slots=True)
class Delay:
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
    heeds: tuple[Guard, ...]
    text: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole rule table. ``digest`` is the SHA-256 of its text, hexadecimal."""

    version: str
    valid_from: date
    digest: str
    body: str
    terms: Terms
    interview_restarts_count: bool
    rules: tuple[Rule, ...]
    contest: Mapping[str, str]

    def rule(self, rule_id: str) -> Rule | None:
        """Return a rule by id."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)


FACTS: Final[Mapping[str, Callable[[Situation], Value]]] = {
    "counted_misses": lambda s: len(s.counted),
    "last_miss": lambda s: s.missed[-1].reading if s.missed else None,
    "interviews_held": lambda s: len(s.held),
    "last_conclusion": lambda s: s.held[-1].event.conclusion if s.held else None,
    "lodging": lambda s: s.order.lodging,
    "household": lambda s: s.order.household.kind,
    "residence_known": lambda s: s.order.residence_postcode is not None,
    "repeat_order": lambda s: s.order.repeat_order,
}
"""Facts that a rule may test, by name. Age, origin or any score of a person are not among them."""

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
