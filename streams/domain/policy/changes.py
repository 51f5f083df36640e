"""What differs between two versions of the policy: rule by rule, and term by term."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final, NamedTuple

from streams.domain.policy.rules import Policy, Rule

RULE_FIELDS: Final = tuple(one.name for one in fields(Rule) if one.init and one.name != "id")
"""Everything of a rule that a person writes, but its id."""


class TermChange(NamedTuple):
    """A term, a list or a switch of the whole policy that differs; None where one lacks it."""

    group: str
    """``terms``; a field of ``counting``; or ``policy`` for its first day, its transition and how
    to contest."""
    name: str
    before: Any
    after: Any


class RuleChange(NamedTuple):
    """A rule that differs; None where one version lacks it."""

    rule_id: str
    before: Rule | None
    after: Rule | None
    fields: tuple[str, ...]
    """What differs, if both have the rule."""


class PolicyChanges(NamedTuple):
    """Everything that differs."""

    terms: tuple[TermChange, ...]
    rules: tuple[RuleChange, ...]
    """In the order of the new version; rules that it lacks are last."""
    reordered: bool
    """Whether the rules that both have stand in another order, which decides between equals."""

    @property
    def none(self) -> bool:
        """Return whether nothing differs."""
        return not (self.terms or self.rules or self.reordered)


def changes(before: Policy, after: Policy) -> PolicyChanges:
    """Return what differs between two versions, their names and digests apart."""
    ids = [rule.id for rule in after.rules]
    ids += [rule.id for rule in before.rules if rule.id not in set(ids)]
    kept = [
        [rule.id for rule in one.rules if other.rule(rule.id) is not None]
        for one, other in ((before, after), (after, before))
    ]
    return PolicyChanges(
        tuple(_terms(before, after)),
        tuple(
            change
            for rule_id in ids
            if (change := _rule(rule_id, before.rule(rule_id), after.rule(rule_id))) is not None
        ),
        kept[0] != kept[1],
    )


def _rule(rule_id: str, before: Rule | None, after: Rule | None) -> RuleChange | None:
    if before is None or after is None:
        return RuleChange(rule_id, before, after, ())
    differing = tuple(name for name in RULE_FIELDS if getattr(before, name) != getattr(after, name))
    return RuleChange(rule_id, before, after, differing) if differing else None


def _terms(before: Policy, after: Policy) -> Iterator[TermChange]:
    for name in ("valid_from", "transition", "contest"):
        yield from _changed("policy", name, getattr(before, name), getattr(after, name))
    for field in fields(before.terms):
        name = field.name
        yield from _changed("terms", name, getattr(before.terms, name), getattr(after.terms, name))
    for field in fields(before.counting):
        old, new = (getattr(one.counting, field.name) for one in (before, after))
        if isinstance(old, Mapping):
            for key in sorted(old.keys() | new.keys()):
                yield from _changed(field.name, key, old.get(key), new.get(key))
        else:
            yield from _changed("counting", field.name, old, new)


def _changed(group: str, name: str, before: Any, after: Any) -> Iterator[TermChange]:
    if before != after:
        yield TermChange(group, name, before, after)
