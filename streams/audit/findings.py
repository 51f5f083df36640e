"""What an audit says: checks made, findings, counts. Findings hold references, never content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

_KEPT: Final = 1000
"""Findings kept of one check; all are counted. A lost topic must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise that does not hold, and where."""

    check: str
    reference: str
    detail: str


@dataclass(frozen=True, slots=True)
class Checked:
    """One check: what it compared, how often, and how much it found."""

    name: str
    what: str
    compared: int
    found: int


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one audit. ``findings`` holds the first thousand of every check."""

    checks: tuple[Checked, ...]
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]

    @property
    def clean(self) -> bool:
        """Whether nothing at all was found."""
        return not any(check.found for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "clean": self.clean,
            "checks": [asdict(check) for check in self.checks],
            "findings": [asdict(finding) for finding in self.findings],
            "counts": dict(self.counts),
        }


class Check:
    """Collects what one check compares and finds."""

    def __init__(self, name: str, what: str) -> None:
        self.name = name
        self.what = what
        self.compared = 0
        self._count = 0
        self._findings: list[Finding] = []

    def found(self, reference: object, detail: str) -> None:
        """Note that a promise does not hold at ``reference``."""
        self._count += 1
        if len(self._findings) < _KEPT:
            self._findings.append(Finding(self.name, str(reference), detail))

    def expect(self, holds: bool, reference: object, detail: str) -> None:
        """Note ``detail`` unless ``holds``."""
        if not holds:
            self.found(reference, detail)

    @property
    def findings(self) -> list[Finding]:
        """Return the findings kept."""
        return self._findings

    @property
    def checked(self) -> Checked:
        """Return the check as it stands."""
        return Checked(self.name, self.what, self.compared, self._count)


def report(checks: Iterable[Check], counts: Mapping[str, int]) -> Report:
    """Return the report of finished checks."""
    made = list(checks)
    return Report(
        tuple(check.checked for check in made),
        tuple(finding for check in made for finding in check.findings),
        counts,
    )
