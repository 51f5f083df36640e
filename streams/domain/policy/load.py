"""Load the policy, the rule table of the escalations, from TOML and lint it.

Each rule is a row of a decision table: conditions on facts, clocks that must have run out, and the
guards that the rule waives, each with a reason. Every other guard blocks the rule.

Errors::

    PolicyError            the policy can't be used; the message lists every fault
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from hashlib import sha256
from typing import Any, Final, TypeVar

from schemas.codes import Guard
from schemas.events import AnswererRole, TermReason
from schemas.outcomes import Action
from streams.domain.keys import ANY, Keys, unknown_keys, values
from streams.domain.policy.lint import lint
from streams.domain.policy.rules import (
    FACTS,
    LANGUAGES,
    OPERATORS,
    Clock,
    Condition,
    Delay,
    Occasion,
    Policy,
    Rule,
    Transition,
)
from streams.domain.terms import Counting, PolicyTerms

T = TypeVar("T")


class PolicyError(Exception):
    """The policy can't be used. ``faults`` lists every fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("fix the policy: " + "; ".join(faults))
        self.faults = tuple(faults)


_GUARDS: Final = values(*Guard)
_TEXTS: Final = values(*LANGUAGES)
_KEYS: Final[Keys] = {
    **values("version", "valid_from"),
    "transition": values(*Transition._fields),
    "terms": values(*(field.name for field in fields(PolicyTerms))),
    "counting": {
        **values("interview_restarts_count", "pausing", "decided"),
        "longest_days": _GUARDS,
        "minimum_departure_days": values(*TermReason),
    },
    "contest": _TEXTS,
    "waivers": {ANY: _GUARDS},
    "rule": {
        **values("id", "group", "level", "action", "owner", "occasion", "nth"),
        **values("answer_working_days", "when_stopped", "waives_sets", "requires", "covers"),
        "when": values("fact", *OPERATORS),
        "after": values("clock", "working_days"),
        "waives": values("guard", "because"),
        "text": _TEXTS,
    },
}
"""Keys of the policy. A new key of a rule is added here and in ``_rule``."""


def load_policy(text: str) -> Policy:
    """Return the policy in a TOML text.

    Raises:
        PolicyError: the policy has faults; the error lists all of them, not only the first.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError([f"not TOML: {error}"]) from None
    faults = list(unknown_keys(table, _KEYS))
    try:
        policy = Policy(
            version=table["version"],
            valid_from=_exactly(
                date, table["valid_from"], "valid_from must be a date without quotes"
            ),
            digest=sha256(text.encode()).hexdigest(),
            body=text,
            terms=PolicyTerms(**{name: _days(name, days) for name, days in table["terms"].items()}),
            counting=_counting(table["counting"]),
            rules=tuple(
                rule
                for row in table.get("rule", [])
                if (rule := _rule(row, table.get("waivers", {}), faults)) is not None
            ),
            contest=table["contest"],
            transition=_transition(table["transition"]) if "transition" in table else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PolicyError([*faults, f"missing or misplaced: {error}"]) from None
    try:
        faults += lint(policy)
    except (AttributeError, TypeError) as error:
        raise PolicyError([*faults, f"missing or misplaced: {error}"]) from None
    if faults:
        raise PolicyError(faults)
    return policy


def _exactly(kind: type[T], value: Any, fault: str) -> T:
    if type(value) is not kind:
        raise TypeError(fault)
    return value


def _days(name: str, days: Any) -> int:
    return _exactly(int, days, f"terms: {name} must be a number of days, 0 or more")


def _transition(table: Mapping[str, Any]) -> Transition:
    fault = "transition: open_cases_from must be a date without quotes"
    return Transition(_exactly(date, table["open_cases_from"], fault), table["because"])


def _counting(table: Mapping[str, Any]) -> Counting:
    restarts = table["interview_restarts_count"]
    ages = table.get("longest_days", {})
    minimums = table.get("minimum_departure_days", {})
    return Counting(
        interview_restarts_count=_exactly(
            bool, restarts, "interview_restarts_count must be true or false"
        ),
        pausing=frozenset(map(Guard, table.get("pausing", ()))),
        decided=frozenset(map(Guard, table.get("decided", ()))),
        longest_days={Guard(guard): _days(guard, days) for guard, days in ages.items()},
        minimum_departure_days={
            TermReason(reason): _days(reason, days) for reason, days in minimums.items()
        },
    )


def _delay(cell: Mapping[str, Any]) -> Delay:
    days = cell.get("working_days", 0)
    return Delay(Clock(cell["clock"]), _exactly(int, days, "working_days must be a whole number"))


def _optional_days(days: Any) -> int | None:
    if days is None:
        return None
    return _exactly(int, days, "answer_working_days must be a whole number")


def _rule(
    row: Mapping[str, Any], waivers: Mapping[str, Mapping[str, str]], faults: list[str]
) -> Rule | None:
    name = row.get("id", "a rule without id")
    try:
        shared = [waivers[name].items() for name in row.get("waives_sets", ())]
        waives = {Guard(guard): because for pairs in shared for guard, because in pairs}
        waives |= {Guard(w["guard"]): w["because"] for w in row["waives"]}
        return Rule(
            id=row["id"],
            group=row["group"],
            level=_exactly(int, row["level"], "level must be a whole number"),
            action=Action(row["action"]),
            occasion=Occasion(row["occasion"]),
            nth=_exactly(int, row.get("nth", 1), "nth must be a whole number"),
            when=tuple(_condition(cell) for cell in row["when"]),
            after=tuple(_delay(cell) for cell in row["after"]),
            waives=waives,
            text=row["text"],
            owner=AnswererRole(row.get("owner", AnswererRole.COACH)),
            covers=frozenset(row.get("covers", ())),
            requires=tuple(map(Guard, row.get("requires", ()))),
            when_stopped=_exactly(
                bool, row.get("when_stopped", False), "when_stopped must be true or false"
            ),
            answer_working_days=_optional_days(row.get("answer_working_days")),
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
        raise ValueError(f"{fact}: use exactly one of {', '.join(OPERATORS)}")
    operand = cell[operators[0]]
    if isinstance(operand, list):
        operand = frozenset(operand)
    if (operators[0] in ("one_of", "none_of")) != isinstance(operand, frozenset):
        raise ValueError(f"{fact}: use a list with one_of and none_of, and only there")
    return Condition(fact, operators[0], operand)
