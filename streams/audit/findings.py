"""Result of an audit: checks, findings and counts. Findings hold references, never content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

_MAX_LISTED: Final = 1000
"""Most findings listed per check; all are counted. Bounds the memory when a topic is lost."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation of a guarantee, and where it is."""

    check: str
    reference: str
    detail: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Result of one check: what it compared, how many items, and how many violations it found."""

    name: str
    what: str
    compared: int
    found: int


@dataclass(frozen=True, slots=True)
class Report:
    """Result of one audit. ``findings`` holds at most the first thousand of each check."""

    checks: tuple[Checked, ...]
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]

    @property
    def clean(self) -> bool:
        """Return whether no check found a violation."""
        return not any(check.found for check in self.checks)

    @property
    def in_flight(self) -> int:
        """Return how many records are not committed, and messages not published."""
        return self.counts["records.pending"] + self.counts["outbox.pending"]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "clean": self.clean,
            "checks": [asdict(check) for check in self.checks],
            "findings": [asdict(finding) for finding in self.findings],
            "counts": dict(self.counts),
        }


class Check:
    """Collector of the comparisons and findings of one check."""

    def __init__(self, name: str, what: str) -> None:
        self.name = name
        self.what = what
        self.compared = 0
        self._count = 0
        self._findings: list[Finding] = []

    def found(self, reference: object, detail: str) -> None:
        """Add a finding at ``reference``."""
        self._count += 1
        if len(self._findings) < _MAX_LISTED:
            self._findings.append(Finding(self.name, str(reference), detail))

    def expect(self, holds: bool, reference: object, detail: str) -> None:
        """Add a finding with ``detail`` unless ``holds``."""
        if not holds:
            self.found(reference, detail)

    @property
    def findings(self) -> list[Finding]:
        """Return the listed findings, at most the first thousand."""
        return self._findings

    @property
    def checked(self) -> Checked:
        """Return the result so far."""
        return Checked(self.name, self.what, self.compared, self._count)


def report(checks: Iterable[Check], counts: Mapping[str, int]) -> Report:
    """Return the report of finished checks."""
    finished = list(checks)
    return Report(
        tuple(check.checked for check in finished),
        tuple(finding for check in finished for finding in check.findings),
        counts,
    )
