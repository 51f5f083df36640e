"""Read the report of pip-audit: which pins have an advisory, and which nobody could check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Advisories(NamedTuple):
    """The result for a file of requirements."""

    found: tuple[str, ...]
    """Package, version, advisory and the versions that fix it."""
    unchecked: tuple[str, ...]
    """Packages about which the index did not answer. pip-audit itself calls this success."""
    packages: int

    @property
    def exit_code(self) -> int:
        """0 when every pin was checked and is free of advisories, 1 findings, 3 not checked."""
        if self.found:
            return 1
        return 3 if self.unchecked or not self.packages else 0

    def __str__(self) -> str:
        lines = list(self.found)
        if self.unchecked or not self.packages:
            lines.append(
                f"NOT CHECKED: {len(self.unchecked)} of {self.packages} packages, because the "
                "index gave no advisories. Ask again where it answers."
            )
        if not lines:
            lines.append(f"{self.packages} packages, no advisory")
        return "\n".join(lines)


def read(report: Mapping[str, Any]) -> Advisories:
    """Return the result that a report in JSON holds."""
    packages = report["dependencies"]
    return Advisories(
        tuple(
            f"{one['name']} {one['version']}: {flaw['id']}, fixed in "
            f"{', '.join(flaw['fix_versions']) or 'no version'}"
            for one in packages
            for flaw in one.get("vulns", ())
        ),
        tuple(one["name"] for one in packages if "skip_reason" in one),
        len(packages),
    )
