"""Say in words what differs between two versions of the policy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from streams.domain.explain.facts import found
from streams.domain.explain.wording import Wording
from streams.domain.policy.changes import RULE_FIELDS, PolicyChanges, RuleChange, TermChange
from streams.domain.policy.rules import Condition, Delay, Policy, Rule, Transition


class Compared(NamedTuple):
    """One part in both versions, as lines; no line where a version lacks it."""

    part: str
    before: Sequence[str]
    after: Sequence[str]


class Block(NamedTuple):
    """What differs in one rule, or in what all rules share; or in one part of the directory."""

    kind: str
    """``terms``, ``changed``, ``added``, ``removed`` or ``reordered``; or the part."""
    heading: str
    rows: Sequence[Compared]


def changes_in_words(
    found: PolicyChanges, before: Policy, after: Policy, wording: Wording
) -> list[Block]:
    """Return what differs as blocks of lines; none if nothing does."""
    blocks = []
    if found.terms:
        rows = [_term(change, wording) for change in found.terms]
        blocks.append(Block("terms", wording.sentence("policy_change.terms"), rows))
    blocks += [_rule(change, before, after, wording) for change in found.rules]
    if found.reordered:
        blocks.append(Block("reordered", wording.sentence("policy_change.reordered"), ()))
    return blocks


def _rule(change: RuleChange, before: Policy, after: Policy, wording: Wording) -> Block:
    if change.before is None:
        kind, names = "added", RULE_FIELDS
    elif change.after is None:
        kind, names = "removed", RULE_FIELDS
    else:
        kind, names = "changed", change.fields
    shown = next(one for one in (change.after, change.before) if one is not None)
    sentence = "policy_change.rule" if kind == "changed" else f"policy_change.{kind}"
    heading = wording.sentence(sentence, text=shown.text[wording.language], rule=shown.id)
    rows = [
        Compared(
            wording.word("policy_part", name),
            _side(change.before, name, before, wording),
            _side(change.after, name, after, wording),
        )
        for name in names
    ]
    if kind != "changed":
        rows = [row for row in rows if [*row.before, *row.after] != [_none(wording)]]
    return Block(kind, heading, rows)


def _side(rule: Rule | None, name: str, policy: Policy, wording: Wording) -> Sequence[str]:
    """Return one part of a rule as lines."""
    if rule is None:
        return ()
    value = getattr(rule, name)
    if name == "answer_working_days":
        return (_answer(value, policy, wording),)
    if name == "text":
        return (value[wording.language],)
    if name == "when":
        return _lines([_condition(one, wording) for one in value], wording)
    if name == "after":
        return _lines([_delay(one, wording) for one in value], wording)
    if name == "waives":
        return _lines(
            [_waiver(guard, because, wording) for guard, because in sorted(value.items())], wording
        )
    if name in _CODED:
        return (wording.word(_CODED[name], value),)
    return _plain(value, wording)


_CODED: Final = {"action": "action", "owner": "role"}


def _term(change: TermChange, wording: Wording) -> Compared:
    part = wording.word("policy_part", _part(change))
    if change.group in _NAMES:
        subject = wording.word(_NAMES[change.group], change.name)
        part = wording.sentence("policy_change.of", part=part, subject=subject)
    before, after = (_value(change, value, wording) for value in (change.before, change.after))
    return Compared(part, before, after)


_NAMES: Final = {"longest_days": "guard", "minimum_departure_days": "term_reason"}
"""Kind of the words of what such a list has a number of days for."""


def _part(change: TermChange) -> str:
    return change.group if change.group in _NAMES else change.name


def _value(change: TermChange, value: Any, wording: Wording) -> Sequence[str]:
    if change.name == "transition":
        return (_transition(value, wording),)
    if value is None:
        return (_none(wording),)
    if change.name == "contest":
        return (value[wording.language],)
    if change.name.endswith("_working_days"):
        return (_term_of(value, "working_day", wording),)
    if change.group == "terms" or change.group in _NAMES:
        return (_term_of(value, "day", wording),)
    return _plain(value, wording)


def _transition(value: Transition | None, wording: Wording) -> str:
    if value is None:
        return wording.sentence("policy_change.new_orders")
    day = wording.formats.day(value.open_cases_from, wording.language)
    return wording.sentence("policy_change.open_cases", day=day, because=value.because)


def _plain(value: Any, wording: Wording) -> Sequence[str]:
    """Return a value that has no sentence of its own."""
    if isinstance(value, bool):
        return (wording.word("policy_value", str(value).lower()),)
    if isinstance(value, date):
        return (wording.formats.day(value, wording.language),)
    if isinstance(value, Collection) and not isinstance(value, str):
        return _lines([_name(one, wording) for one in sorted(value)], wording)
    return (str(value),)


def _name(code: str, wording: Wording) -> str:
    return wording.word("guard", code) if wording.has_word("guard", code) else code


def _answer(days: int | None, policy: Policy, wording: Wording) -> str:
    if days is None:
        term = _term_of(policy.terms.answer_working_days, "working_day", wording)
        return wording.sentence("policy_change.default_days", term=term)
    return _term_of(days, "working_day", wording)


def _term_of(days: int, unit: str, wording: Wording) -> str:
    return wording.sentence(f"policy_change.{unit}{'' if days == 1 else 's'}", days=days)


def _delay(one: Delay, wording: Wording) -> str:
    clock = wording.word("clock", one.clock)
    if not one.working_days:
        return wording.sentence("policy_change.clock_at_once", clock=clock)
    term = _term_of(one.working_days, "working_day", wording)
    return wording.sentence("policy_change.clock", clock=clock, term=term)


def _waiver(guard: str, because: str, wording: Wording) -> str:
    reason = wording.word("waiver", because) if wording.has_word("waiver", because) else because
    said = wording.word("guard", guard)
    return wording.sentence("policy_change.waived", guard=said, because=reason)


def _condition(one: Condition, wording: Wording) -> str:
    """Return a condition as the sentences of the values that fulfil it."""
    operand = one.operand
    if one.operator in _SIGNS:
        count = f"{_SIGNS[one.operator]} {operand}"
        return wording.sentence(f"found.{one.fact}.other", count=count)
    if not isinstance(operand, frozenset):
        value = str(operand).lower() if isinstance(operand, bool) else str(operand)
        return found(one.fact, value, wording)
    said = wording.any_of(found(one.fact, value, wording) for value in sorted(operand))
    if one.operator == "none_of":
        return wording.sentence("policy_change.none_of", found=said)
    return said


_SIGNS: Final = {"at_least": "≥", "at_most": "≤"}


def _lines(lines: Iterable[str], wording: Wording) -> Sequence[str]:
    return tuple(lines) or (_none(wording),)


def _none(wording: Wording) -> str:
    return wording.word("policy_value", "none")
