"""Find the faults of a policy before it decides anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from itertools import pairwise
from typing import Final

from schemas.codes import Guard
from schemas.events import Conclusion, HouseholdKind, Lodging, ReviewDecision
from streams.domain.policy.reach import unreachable
from streams.domain.policy.rules import (
    FOR_NUMBERS,
    HIGHEST_LEVEL,
    LANGUAGES,
    Clock,
    Condition,
    Occasion,
    Policy,
    Rule,
)
from streams.domain.questions import QuestionKind
from streams.domain.situation import DateToCheck, EndDue, InvitationDue, MissKind

_CODES: Final[Mapping[str, frozenset[str]]] = {
    "last_miss": frozenset(MissKind),
    "last_conclusion": frozenset(Conclusion),
    "lodging": frozenset(Lodging),
    "household": frozenset(HouseholdKind),
    "invitation_due": frozenset(InvitationDue),
    "open_question": frozenset(QuestionKind),
    "end_due": frozenset(EndDue),
    "date_to_check": frozenset(DateToCheck),
    "review_decision": frozenset(ReviewDecision),
}
_NEEDS: Final[Mapping[Occasion, str]] = {
    Occasion.LAST_MISS: "last_miss",
    Occasion.LAST_INTERVIEW: "last_conclusion",
    Occasion.APPOINTMENT: "unreported_appointment",
    Occasion.INVITATION: "invitation_due",
    Occasion.ACCEPTANCE: "return_accepted",
    Occasion.PROSPECT: "prospect_open",
    Occasion.QUESTION: "open_question",
    Occasion.DECISION: "decision_missing",
    Occasion.END: "end_due",
    Occasion.DATE: "date_to_check",
    Occasion.REVIEW: "review_decision",
}
"""Fact that a rule must test for its occasion to exist."""
_REVIEWED: Final = (Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED, Guard.NON_REFOULEMENT_CHECK_MISSING)
"""Guards that must have been reported clear before a rule of level 3 or more may stand."""
_NEVER_WAIVED: Final = (
    Guard.APPEAL_SUSPENSIVE_PENDING,
    Guard.NON_REFOULEMENT_CHECK_MISSING,
    Guard.UNACCOMPANIED_MINOR,
)
"""Guards that no rule of level 3 or more may waive."""
_SHORTEST_REASON: Final = 15
"""Fewest characters of a waiver's reason: a letter is no reason."""
_REVIEW_LEVEL: Final = 3
_COUNTS: Final = frozenset({"counted_misses", "interviews_held"})


def lint(policy: Policy) -> list[str]:
    """Return every fault of a policy; an empty list if it can be used."""
    faults = []
    ids = [rule.id for rule in policy.rules]
    faults += [
        f"{rule_id}: id used twice" for rule_id in sorted({i for i in ids if ids.count(i) > 1})
    ]
    if not policy.rules:
        faults.append("no rules: an empty table would withdraw every escalation")
    faults += [f"contest: no text in {lang}" for lang in LANGUAGES if not policy.contest.get(lang)]
    faults += [
        f"terms: {name} must be a number of days, 0 or more"
        for name, days in asdict(policy.terms).items()
        if type(days) is not int or days < 0
    ]
    faults += _transition_faults(policy)
    for rule in policy.rules:
        if not 1 <= rule.level <= HIGHEST_LEVEL:
            faults.append(f"{rule.id}: level {rule.level} is not 1 to {HIGHEST_LEVEL}")
        if not rule.when and not rule.after:
            faults.append(f"{rule.id}: neither conditions nor clocks, so it would always match")
        if rule.occasion is Occasion.COUNTED_MISS and not _needs_misses(rule):
            faults.append(f"{rule.id}: counted_misses must be at_least nth ({rule.nth})")
        needed = _NEEDS.get(rule.occasion)
        if needed is not None and not _tests(rule, needed):
            faults.append(f"{rule.id}: occasion {rule.occasion} needs a condition on {needed}")
        if rule.level >= _REVIEW_LEVEL:
            faults += [
                f"{rule.id}: a rule of level {rule.level} requires {guard} to be reported clear"
                for guard in _REVIEWED
                if guard not in rule.requires
            ]
        if rule.when_stopped and rule.level >= _REVIEW_LEVEL:
            faults.append(f"{rule.id}: when_stopped is for rules below level {_REVIEW_LEVEL}")
        unknown = rule.covers - {other.group for other in policy.rules}
        faults += [f"{rule.id}: covers no group {group!r}" for group in sorted(unknown)]
        if any(delay.clock is Clock.LAST_ATTEMPT for delay in rule.after) and not (
            _needs_misses(rule) or _tests(rule, "last_miss") or _tests(rule, "last_conclusion")
        ):
            faults.append(
                f"{rule.id}: clock last_attempt needs a condition on misses or interviews"
            )
        if any(delay.working_days < 0 for delay in rule.after):
            faults.append(f"{rule.id}: a delay can't be negative")
        faults += [
            f"{rule.id}: waives {guard} without a reason: write a sentence"
            for guard, because in rule.waives.items()
            if _is_no_reason(because)
        ]
        if rule.level >= _REVIEW_LEVEL:
            faults += [
                f"{rule.id}: {guard} can't be waived from level {_REVIEW_LEVEL} on"
                for guard in _NEVER_WAIVED
                if guard in rule.waives
            ]
        faults += [f"{rule.id}: no text in {lang}" for lang in LANGUAGES if not rule.text.get(lang)]
        for condition in rule.when:
            faults += _condition_faults(rule, condition)
    faults += _covered_too_late(policy)
    by_level: dict[tuple[str, int], str] = {}
    for rule in policy.rules:
        other = by_level.setdefault((rule.group, rule.level), rule.id)
        if other != rule.id:
            faults.append(f"{rule.id}: same group and level as {other}, so neither would win")
    return faults or unreachable(policy, _CODES)


def lint_together(versions: Sequence[Policy], today: date) -> list[str]:
    """Return every fault of several versions side by side, each of which is without fault.

    A version ends where the next one begins, so that no day has two of them. A day without one
    lies before the first version only.
    """
    ordered = sorted(versions, key=lambda one: one.valid_from)
    faults = []
    if ordered and ordered[0].valid_from > today:
        faults.append(f"no version is in force before {ordered[0].valid_from}")
    for earlier, later in pairwise(ordered):
        if earlier.valid_from == later.valid_from:
            faults.append(
                f"{earlier.version} and {later.version} are both valid from {later.valid_from}"
            )
        transition = earlier.transition
        if transition is not None and transition.open_cases_from >= later.valid_from:
            faults.append(
                f"{earlier.version}: open_cases_from {transition.open_cases_from} is not before "
                f"{later.version} is valid, {later.valid_from}"
            )
    names = [one.version for one in ordered]
    twice = sorted({name for name in names if names.count(name) > 1})
    return [*faults, *(f"version {name} is there twice" for name in twice)]


def _transition_faults(policy: Policy) -> list[str]:
    transition, faults = policy.transition, []
    if transition is None:
        return []
    if transition.open_cases_from < policy.valid_from:
        faults.append(
            f"transition: open_cases_from {transition.open_cases_from} is before the first day of "
            f"the version, {policy.valid_from}"
        )
    if _is_no_reason(transition.because):
        faults.append("transition: give a reason in because: write a sentence")
    return faults


def _is_no_reason(because: str) -> bool:
    return len(because.strip()) < _SHORTEST_REASON or " " not in because.strip()


def _covered_too_late(policy: Policy) -> list[str]:
    """Return a fault for each rule that covers an earlier rule of its level: both would stand."""
    return [
        f"{later.id}: put it before {earlier.id}, which it covers at the same level"
        for index, later in enumerate(policy.rules)
        for earlier in policy.rules[:index]
        if earlier.level == later.level
        and earlier.group in later.covers
        and later.group not in earlier.covers
    ]


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


def _condition_faults(rule: Rule, condition: Condition) -> list[str]:
    fact, operand = condition.fact, condition.operand
    if fact in _CODES:
        if condition.operator in FOR_NUMBERS:
            return [f"{rule.id}: {fact} is a code, {condition.operator} is for numbers"]
        codes = operand if isinstance(operand, frozenset) else {operand}
        unknown = sorted(map(str, codes - _CODES[fact]))
        return [f"{rule.id}: {fact} has no code {code!r}" for code in unknown]
    if fact in _COUNTS:
        valid = type(operand) is int and condition.operator in {*FOR_NUMBERS, "is"}
        fault = f"{rule.id}: {fact} is a number, test it with at_least, at_most or is"
        return [] if valid else [fault]
    valid = type(operand) is bool and condition.operator == "is"
    return [] if valid else [f"{rule.id}: {fact} is true or false, test it with is"]
