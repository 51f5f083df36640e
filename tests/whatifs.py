"""Results of a what-if made by hand, with explanations by the shipped policy and by a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final

from streams import reference
from streams.domain.decision import Announced
from streams.domain.explain.decision import Known, explain_decision
from streams.domain.explain.decision_text import Document, decision_in_words
from streams.domain.policy.load import load_policy
from streams.domain.policy.rules import LANGUAGES
from streams.domain.whatif import (
    Change,
    Counts,
    Difference,
    Example,
    Group,
    Load,
    Raised,
    WhatIf,
)
from streams.reference import Reference
from tests.domain import given
from tests.domain.stories import RULES

UNTIL: Final = datetime(2026, 8, 31, 16, 5, tzinfo=UTC)
DRAFTED: Final[Mapping[str, str]] = {
    'version = "2026.2"': 'version = "2026.3"',
    'clock = "last_step", working_days = 20': 'clock = "last_step", working_days = 30',
    'clock = "notified", working_days = 3': 'clock = "notified", working_days = 1',
    'clock = "appointment", working_days = 2': 'clock = "appointment", working_days = 4',
    'clock = "acceptance", working_days = 20': 'clock = "acceptance", working_days = 15',
    'clock = "prospect", working_days = 30': 'clock = "prospect", working_days = 25',
    'clock = "first_event", working_days = 5': 'clock = "first_event", working_days = 15',
    "answer_working_days = 1  # inferred": "answer_working_days = 2",
}
"""What a draft changes in the text of the shipped policy."""

_EXAMPLES: Final = (
    ("silence", Change.REMOVED),
    ("give-first-date", Change.EARLIER),
    ("report-outcome", Change.LATER),
    ("follow-departure", Change.EARLIER),
    ("prospect-deadline", Change.ADDED),
    ("find-order", Change.REMOVED),
    ("minors-detained", Change.LATER),
    ("outreach-after-second-miss", Change.HIGHER),
    ("review-after-third-miss", Change.LOWER),
    ("check-delivery", Change.ADDED),
)


def drafted() -> str:
    """Return the text of the draft."""
    text = (reference.HERE / "policy.toml").read_text()
    for before, after in DRAFTED.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


@lru_cache(maxsize=1)
def draft() -> Reference:
    """Return the reference data with the draft in place of the shipped policy."""
    ref = given.ref()
    return Reference(load_policy(drafted()), ref.directory, ref.calendar, ref.producers)


def raised(rule: str, **changed: Any) -> Raised:
    """Return one round of a proposal, by default the first, of level 2, of Ghent."""
    fields: dict[str, Any] = {
        "case_id": "case-1f3a",
        "escalation_id": "00000000-0000-4000-8000-00000000000a",
        "round": 1,
        "rule_id": rule,
        "level": 2,
        "office_id": "gent",
        "track": "individual",
        "raised_at": datetime(2026, 4, 7, 6, tzinfo=UTC),
        "ended_at": None,
    }
    return Raised(**fields | changed)


def difference(change: Change, rule: str = "silence", **changed: Any) -> Difference:
    """Return a difference of one kind."""
    before = raised(rule, **changed)
    later = before._replace(raised_at=datetime(2026, 4, 21, 6, tzinfo=UTC))
    sides: dict[Change, tuple[Raised | None, Raised | None]] = {
        Change.ADDED: (None, before),
        Change.REMOVED: (before, None),
        Change.EARLIER: (later, before),
        Change.LATER: (before, later),
        Change.HIGHER: (before, before._replace(level=before.level + 1)),
        Change.LOWER: (before._replace(level=before.level + 1), before),
    }
    return Difference((change,), *sides[change])


@lru_cache(maxsize=64)
def explanations(rule: str, *, drafted: bool) -> Mapping[str, Document]:
    """Return the story of a rule, explained in four languages under the draft or without it."""
    ref, story = draft() if drafted else given.ref(), RULES[rule]
    announced = Announced(open_dead_letters=story.letters)
    at = story.at.astimezone(UTC)
    found = explain_decision(given.CASE_ID, story.facts, announced, ref.tables, at, Known.NOW)
    return {language: decision_in_words(found, ref.wording(language)) for language in LANGUAGES}


def example(number: int = 0, **changed: Any) -> Example:
    """Return one of ten examples, each of another rule."""
    rule, change = _EXAMPLES[number]
    fields: dict[str, Any] = {
        "case_id": f"case-{number:04x}",
        "at": RULES[rule].at.astimezone(UTC),
        "differences": (difference(change, rule),),
        "before": explanations(rule, drafted=False),
        "after": explanations(rule, drafted=True),
    }
    return Example(**fields | changed)


def counts(before: int, after: int, **changes: int) -> Counts:
    """Return the counts of one group; changes by their names."""
    return Counts(before, after, {Change(name): number for name, number in changes.items()})


def none(**changed: Any) -> WhatIf:
    """Return a result in which nothing differs."""
    same = Group("gent", "individual", "silence")
    fields: dict[str, Any] = {
        "policy": "2026.2 (0f1e2d3c4b5a)",
        "policy_before": "2026.2 (0f1e2d3c4b5a)",
        "directory": "2026.1 (5a4b3c2d1e0f)",
        "directory_before": "2026.1 (5a4b3c2d1e0f)",
        "since": None,
        "until": UNTIL,
        "cases": 1200,
        "events": 15600,
        "unreadable": 0,
        "differing_cases": 0,
        "groups": {same: counts(40, 40)},
        "loads": [Load("gent", date(2026, 4, 1), 40, 40)],
        "standing": {"gent": (7, 7)},
        "examples": [],
    }
    return WhatIf(**fields | changed)


def some(**changed: Any) -> WhatIf:
    """Return a result with every kind of difference, eight months and ten examples."""
    groups = {
        Group("gent", "individual", "silence"): counts(412, 371, removed=41, later=97),
        Group("liege", "individual", "silence"): counts(380, 350, removed=30, later=60),
        Group("bruxelles", "individual", "silence"): counts(1311, 1180, removed=131, later=204),
        Group("gent", "individual", "give-first-date"): counts(122, 164, added=42, earlier=88),
        Group("bruxelles", "individual", "give-first-date"): counts(301, 377, added=76, earlier=9),
        Group("antwerpen", "family", "report-outcome"): counts(60, 52, removed=8, later=12),
        Group("antwerpen", "individual", "outreach-after-second-miss"): counts(77, 77, higher=5),
        Group("liege", "individual", "review-after-third-miss"): counts(31, 31, lower=3),
        Group("liege", "family", "follow-departure"): counts(18, 18, earlier=4),
        Group("bruxelles", "detained", "minors-detained"): counts(2, 2),
    }
    fields: dict[str, Any] = {
        "policy": "2026.3 (1a2b3c4d5e6f)",
        "cases": 12000,
        "events": 1003512,
        "unreadable": 2,
        "differing_cases": 640,
        "groups": groups,
        "loads": _loads(groups),
        "standing": {"gent": (33, 30), "bruxelles": (120, 104), "liege": (41, 41)},
        "examples": [example(number) for number in range(10)],
    }
    return none(**fields | changed)


def _loads(groups: Mapping[Group, Counts]) -> Sequence[Load]:
    """Spread the counts of each office over eight months, unevenly."""
    shares = (5, 9, 14, 11, 16, 20, 13, 12)
    found: dict[tuple[str, date], list[int]] = {}
    for group, counted in groups.items():
        rest = [counted.before, counted.after]
        for month, share in enumerate(shares, 1):
            load = found.setdefault((group.office_id, date(2026, month, 1)), [0, 0])
            for side, whole in enumerate((counted.before, counted.after)):
                part = rest[side] if month == len(shares) else whole * share // 100
                rest[side] -= part
                load[side] += part
    return [Load(office, month, *load) for (office, month), load in sorted(found.items())]
