"""The result of a what-if: what a draft of the tables would have decided otherwise. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from streams.domain.explain.decision_text import Document


class Raised(NamedTuple):
    """One round of an escalation, as a replay raised it."""

    case_id: str
    escalation_id: str
    round: int
    rule_id: str
    level: int
    office_id: str
    track: str
    raised_at: datetime
    ended_at: datetime | None
    """None while it stands at the end of the replay."""


class Change(StrEnum):
    """How an escalation of the draft differs from that of the tables in force."""

    ADDED = "added"
    REMOVED = "removed"
    EARLIER = "earlier"
    LATER = "later"
    HIGHER = "higher"
    LOWER = "lower"


class Difference(NamedTuple):
    """One escalation that differs. Paired by escalation id and round.

    ``changes`` has one of added and removed, or any of the others: one can be earlier and higher.
    """

    changes: tuple[Change, ...]
    before: Raised | None
    after: Raised | None


class Group(NamedTuple):
    """Escalations of one office, track and rule."""

    office_id: str
    track: str
    rule_id: str


class Counts(NamedTuple):
    """Escalations of one group: raised under each, and those that differ, by change."""

    before: int
    after: int
    changes: Mapping[Change, int]


class Load(NamedTuple):
    """What one office has to do in one month (its first day, Brussels): escalations raised."""

    office_id: str
    month: date
    before: int
    after: int


class Example(NamedTuple):
    """One case that differs, explained under both at the instant of its first difference."""

    case_id: str
    at: datetime
    differences: tuple[Difference, ...]
    before: Mapping[str, Document]
    """By language code (fr, nl, de, en)."""
    after: Mapping[str, Document]


class WhatIf(NamedTuple):
    """All that a what-if found. Equal inputs give an equal value, whatever the processes."""

    policy: str
    """Version and digest of the draft, as ``2026-07 (1a2b3c4d5e6f)``; so the others."""
    policy_before: str
    directory: str
    directory_before: str
    since: datetime | None
    """Differences from this instant on are reported; None: all."""
    until: datetime
    """End of the recorded history that was replayed: the last ``recorded_at``."""
    cases: int
    events: int
    unreadable: int
    """Cases with a stored event that can't be read; they were not replayed."""
    differing_cases: int
    groups: Mapping[Group, Counts]
    loads: Sequence[Load]
    standing: Mapping[str, tuple[int, int]]
    """Proposals that stand at the end, by office, before and after."""
    examples: Sequence[Example]
    """At most ten, chosen so that every kind of change and many rules are among them."""
