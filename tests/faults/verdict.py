"""The damage of a fault: the auditor's findings and our own counts, each under one heading."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from streams.audit import Finding, Report

Heading: TypeAlias = Literal["lost", "doubled", "unexplained"]

_HEADINGS: Final[tuple[tuple[str, str, Heading], ...]] = (
    ("log", r"committed, but neither in the log nor a dead letter", "lost"),
    ("offsets watched", r"committed, but neither in the log nor a dead letter", "lost"),
    ("log", r"\d+ records not committed", "lost"),
    ("log", r"dead letter \d+ is replayed, but not in the log", "lost"),
    ("offsets", r"committed \d+, missing ", "lost"),
    ("producer", r"acknowledged to its producer, but neither in the log nor a dead letter", "lost"),
    ("fold", r"in the log without a projection", "lost"),
    ("outbox", r"not published$", "lost"),
    ("outbox", r"marked published, not on ", "lost"),
    ("outbox", r"(raised|withdrawn) in the ledger, but not in the outbox", "lost"),
    ("deadlines", r"due since ", "lost"),
    ("escalations", r"\d+ escalations of rule .* stand at once", "doubled"),
    ("escalations", r"a round before the last one stands", "doubled"),
)
"""The heading of each known finding; any other finding is unexplained."""

_TWICE: Final = {
    "events of one id and source": (
        "SELECT count(*) - count(DISTINCT (event_id, source)) FROM case_event"
    ),
    "dead letters of one record": (
        'SELECT count(*) - count(DISTINCT (topic, "partition", "offset")) FROM dead_letter'
    ),
    "records both applied and dead-lettered": (
        # Positions in the log of a former topic of that name are no positions of the present one.
        "SELECT count(*) FROM case_event AS event"
        ' JOIN dead_letter AS letter USING (topic, "partition", "offset")'
        ' LEFT JOIN input_position USING (topic, "partition")'
        " WHERE letter.resolved_at IS NULL AND (topic_since IS NULL"
        " OR (event.recorded_at < topic_since) = (letter.recorded_at < topic_since))"
    ),
    "announcements of one id": "SELECT count(*) - count(DISTINCT message_id) FROM outbox",
    "standing escalations of one case and rule": (
        "SELECT count(*) - count(DISTINCT (case_id, rule_id)) FROM escalation"
        " WHERE withdrawn_at IS NULL"
    ),
}
"""Our own counts of duplicates; none relies on a constraint of the database."""


@dataclass(frozen=True)
class Verdict:
    """The damage by heading, with each item in words."""

    lost: int
    doubled: int
    unexplained: int
    details: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether there is no damage."""
        return not (self.lost or self.doubled or self.unexplained)


def heading(finding: Finding) -> Heading:
    """Return the heading of a finding of the auditor."""
    for check, pattern, found in _HEADINGS:
        if finding.check == check and re.match(pattern, finding.detail):
            return found
    return "unexplained"


def judge(
    report: Report,
    query: Callable[..., list[tuple[Any, ...]]],
    wanted: Iterable[UUID],
    *,
    dead_letters: int,
) -> Verdict:
    """Count the damage: the auditor's findings and our own counts.

    ``wanted`` are exactly the events that must be in the log; ``dead_letters`` is exactly the
    expected number of dead letters.
    """
    harm = {"lost": 0, "doubled": 0, "unexplained": 0}
    details: list[str] = []

    def found(where: Heading, number: int, what: str) -> None:
        if number:
            harm[where] += number
            details.append(f"{where}: {number} {what}")

    for finding in report.findings:
        found(heading(finding), 1, f"{finding.check}: {finding.reference}: {finding.detail}")
    unlisted = sum(check.found for check in report.checks) - len(report.findings)
    found("unexplained", unlisted, "findings of the auditor that it did not list")
    in_log = {row[0] for row in query("SELECT event_id FROM case_event")}
    expected = set(wanted)
    found("lost", len(expected - in_log), "events are not in the log")
    found("unexplained", len(in_log - expected), "events are in the log that were not sent")
    letters = query("SELECT count(*) FROM dead_letter")[0][0]
    found("lost", max(0, dead_letters - letters), "dead letters are missing")
    found("unexplained", max(0, letters - dead_letters), "dead letters too many")
    for what, sql in _TWICE.items():
        found("doubled", query(sql)[0][0], what)
    return Verdict(harm["lost"], harm["doubled"], harm["unexplained"], tuple(details))
