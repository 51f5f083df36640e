"""The rule table: escalation rules as dated data, loaded, linted and named by digest.

A rule reads like a row of a decision table: conditions on facts, clocks that must have run out, and
the guards it waives, each with a reason. What a rule does not waive, blocks it.

Errors::

    PolicyError            the table can't be used; the message lists every fault found
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, TypeVar

from schemas.events import Conclusion, HouseholdKind, Lodging
from schemas.outcomes import Action, FactCheck
from schemas.types import Guard
from streams.domain.guards import Terms
from streams.domain.situation import Miss, Situation

HIGHEST_LEVEL: Final = 5
"""Level 6 of the ladder, a forced-return referral, is a human decision and no outcome of ours."""

LANGUAGES: Final = ("fr", "nl", "de", "en")

Value = int | str | bool | None

T = TypeVar("T")


class PolicyError(Exception):
    """The rule table can't be used."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("mend the policy table: " + "; ".join(faults))
        self.faults = tuple(faults)


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

_CODES: Final[Mapping[str, frozenset[str]]] = {
    "last_miss": frozenset(Miss),
    "last_conclusion": frozenset(Conclusion),
    "lodging": frozenset(Lodging),
    "household": frozenset(HouseholdKind),
}
_COUNTS: Final = frozenset({"counted_misses", "interviews_held"})

OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "at_least": lambda value, operand: value is not None and value >= operand,
    "is": lambda value, operand: value is not None and value == operand,
    "one_of": lambda value, operand: value is not None and value in operand,
    "none_of": lambda value, operand: value is not None and value not in operand,
}


def load(text: str) -> Policy:
    """Return the policy in a TOML text.

    Raises:
        PolicyError: with every fault found, not just the first.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError([f"not TOML: {error}"]) from None
    faults: list[str] = []
    try:
        policy = Policy(
            version=table["version"],
            valid_from=_exactly(date, table["valid_from"], "valid_from is a day without quotes"),
            digest=sha256(text.encode()).hexdigest(),
            body=text,
            terms=Terms(**table["terms"]),
            interview_restarts_count=_exactly(
                bool,
                table["counting"]["interview_restarts_count"],
                "interview_restarts_count is true or false",
            ),
            rules=tuple(
                rule for row in table.get("rule", []) if (rule := _rule(row, faults)) is not None
            ),
            contest=table["contest"],
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise PolicyError([*faults, f"missing or misplaced: {error}"]) from None
    try:
        faults += _lint(policy)
    except (AttributeError, TypeError) as error:
        raise PolicyError([*faults, f"missing or misplaced: {error}"]) from None
    if faults:
        raise PolicyError(faults)
    return policy


def _exactly(kind: type[T], value: Any, fault: str) -> T:
    if type(value) is not kind:
        raise TypeError(fault)
    return value


def _rule(row: Mapping[str, Any], faults: list[str]) -> Rule | None:
    name = row.get("id", "a rule without id")
    try:
        waives = {Guard(w["guard"]): w["because"] for w in row["waives"]}
        return Rule(
            id=row["id"],
            group=row["group"],
            level=row["level"],
            action=Action(row["action"]),
            occasion=Occasion(row["occasion"]),
            nth=row.get("nth", 1),
            when=tuple(_condition(cell) for cell in row["when"]),
            after=tuple(Delay(Clock(d["clock"]), d.get("working_days", 0)) for d in row["after"]),
            waives=waives,
            heeds=tuple(guard for guard in Guard if guard not in waives),
            text=row["text"],
        )
    except (KeyError, ValueError, TypeError) as error:
        faults.append(f"{name}: {error}")
        return None


def _condition(cell: Mapping[str, Any]) -> Condition:
    fact = cell["fact"]
    operators = [key for key in cell if key != "fact"]
    if fact not in FACTS:
        raise ValueError(f"unknown fact {fact!r}; known: {', '.join(FACTS)}")
    if len(operators) != 1 or operators[0] not in OPERATORS:
        raise ValueError(f"{fact}: exactly one of {', '.join(OPERATORS)}")
    operand = cell[operators[0]]
    if isinstance(operand, list):
        operand = frozenset(operand)
    if (operators[0] in ("one_of", "none_of")) != isinstance(operand, frozenset):
        raise ValueError(f"{fact}: a list goes with one_of and none_of only")
    return Condition(fact, operators[0], operand, FACTS[fact])


def _lint(policy: Policy) -> list[str]:
    faults = []
    ids = [rule.id for rule in policy.rules]
    faults += [
        f"{rule_id}: id used twice" for rule_id in sorted({i for i in ids if ids.count(i) > 1})
    ]
    if not policy.rules:
        faults.append("no rules: an empty table would withdraw everything")
    faults += [f"contest: no text in {lang}" for lang in LANGUAGES if not policy.contest.get(lang)]
    faults += [
        f"terms: {name} must be a number of days, 0 or more"
        for name, days in asdict(policy.terms).items()
        if type(days) is not int or days < 0
    ]
    for rule in policy.rules:
        if not 1 <= rule.level <= HIGHEST_LEVEL:
            faults.append(f"{rule.id}: level {rule.level} is not 1 to {HIGHEST_LEVEL}")
        if not rule.when and not rule.after:
            faults.append(f"{rule.id}: neither conditions nor clocks, it would always match")
        if rule.occasion is Occasion.COUNTED_MISS and not _needs_misses(rule):
            faults.append(f"{rule.id}: counted_misses must be at_least nth ({rule.nth})")
        if rule.occasion is Occasion.LAST_MISS and not _tests(rule, "last_miss"):
            faults.append(f"{rule.id}: occasion last_miss needs a condition on last_miss")
        if rule.occasion is Occasion.LAST_INTERVIEW and not _tests(rule, "last_conclusion"):
            faults.append(f"{rule.id}: occasion last_interview needs one on last_conclusion")
        if any(delay.clock is Clock.LAST_ATTEMPT for delay in rule.after) and not (
            _needs_misses(rule) or _tests(rule, "last_miss") or _tests(rule, "last_conclusion")
        ):
            faults.append(f"{rule.id}: clock last_attempt needs an appointment held or missed")
        if any(delay.working_days < 0 for delay in rule.after):
            faults.append(f"{rule.id}: a delay can't be negative")
        faults += [
            f"{rule.id}: waives {g} without a reason" for g, b in rule.waives.items() if not b
        ]
        faults += [f"{rule.id}: no text in {lang}" for lang in LANGUAGES if not rule.text.get(lang)]
        if Guard.UNACCOMPANIED_MINOR in rule.waives:
            faults.append(f"{rule.id}: unaccompanied_minor can't be waived")
        for condition in rule.when:
            faults += _misfits(rule, condition)
    by_level: dict[tuple[str, int], str] = {}
    for rule in policy.rules:
        other = by_level.setdefault((rule.group, rule.level), rule.id)
        if other != rule.id:
            faults.append(f"{rule.id}: same group and level as {other}, so neither would win")
    return faults


def _code(value: Value) -> str:
    if value is None:
        return "unknown"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tests(rule: Rule, fact: str) -> bool:
    return any(condition.fact == fact for condition in rule.when)


def _needs_misses(rule: Rule) -> bool:
    return any(
        c.fact == "counted_misses"
        and c.operator == "at_least"
        and isinstance(c.operand, int)
        and c.operand >= rule.nth >= 1
        for c in rule.when
    )


def _misfits(rule: Rule, condition: Condition) -> list[str]:
    fact, operand = condition.fact, condition.operand
    if fact in _CODES:
        if condition.operator == "at_least":
            return [f"{rule.id}: {fact} is a code, at_least is for numbers"]
        codes = operand if isinstance(operand, frozenset) else {operand}
        unknown = sorted(map(str, codes - _CODES[fact]))
        return [f"{rule.id}: {fact} has no code {code!r}" for code in unknown]
    if fact in _COUNTS:
        right = type(operand) is int and condition.operator in ("at_least", "is")
        return [] if right else [f"{rule.id}: {fact} is a number, test it with at_least or is"]
    right = type(operand) is bool and condition.operator == "is"
    return [] if right else [f"{rule.id}: {fact} is true or false, test it with is"]
