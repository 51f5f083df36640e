"""Find the rules of a policy that can never stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from streams.domain.policy.rules import FOR_NUMBERS, OPERATORS, Clock, Condition, Policy, Rule

_EITHER: Final = frozenset({True, False})


def unreachable(policy: Policy, codes: Mapping[str, frozenset[str]]) -> list[str]:
    """Return a fault for each rule whose conditions exclude each other, or that never wins.

    ``codes`` are the values that each fact with a code can have.
    """
    faults = []
    for rule in policy.rules:
        impossible = [fact for fact in _facts(rule) if not _possible(rule, fact, codes)]
        faults += [f"{rule.id}: no value of {fact} fits its conditions" for fact in impossible]
        if not impossible:
            faults += [
                f"{rule.id}: never stands, because {other.id} of the same group stands then too"
                for other in policy.rules
                if other.group == rule.group and other.level > rule.level and _always(other, rule)
            ][:1]
    return faults


def _facts(rule: Rule) -> list[str]:
    return list(dict.fromkeys(condition.fact for condition in rule.when))


def _possible(rule: Rule, fact: str, codes: Mapping[str, frozenset[str]]) -> bool:
    conditions = [condition for condition in rule.when if condition.fact == fact]
    return any(_hold(conditions, value) for value in _values(fact, conditions, codes))


def _values(
    fact: str, conditions: Sequence[Condition], codes: Mapping[str, frozenset[str]]
) -> Iterable[object]:
    """Return values of a fact that together stand for all of them."""
    if fact in codes:
        return codes[fact]
    numbers = [c.operand for c in conditions if type(c.operand) is int]
    if not numbers:
        return _EITHER
    return sorted({0, *numbers, *(n + 1 for n in numbers), *(n - 1 for n in numbers if n > 0)})


def _hold(conditions: Sequence[Condition], value: object) -> bool:
    return all(OPERATORS[one.operator](value, one.operand) for one in conditions)


def _always(higher: Rule, rule: Rule) -> bool:
    """Return whether a rule matches, unblocked, whenever another one does."""
    due: dict[Clock, int] = {}
    for delay in rule.after:
        due[delay.clock] = max(due.get(delay.clock, 0), delay.working_days)
    return (
        all(any(_implies(mine, one) for mine in rule.when) for one in higher.when)
        and all(one.working_days <= due.get(one.clock, -1) for one in higher.after)
        and higher.waives.keys() >= rule.waives.keys()
        and set(higher.requires) <= set(rule.requires)
        and (higher.when_stopped or not rule.when_stopped)
    )


def _implies(mine: Condition, other: Condition) -> bool:
    """Return whether ``other`` holds wherever ``mine`` does; False if that is not certain."""
    if mine == other:
        return True
    if mine.fact != other.fact:
        return False
    if mine.operator == "is":
        return OPERATORS[other.operator](mine.operand, other.operand)
    if mine.operator != other.operator:
        return False
    if mine.operator in FOR_NUMBERS:
        return OPERATORS[mine.operator](mine.operand, other.operand)
    if not isinstance(mine.operand, frozenset) or not isinstance(other.operand, frozenset):
        return False
    if mine.operator == "one_of":
        return mine.operand <= other.operand
    return mine.operand >= other.operand
