"""Results of a campaign, one outcome per scenario: ``result.json`` in ``.run/faults``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streams.cli.latency import percentile
from tests.alone import alone
from tests.faults.verdict import Verdict

ROOT: Final = Path(__file__).parents[2]
HOME: Final = ROOT / ".run" / "faults"
SHORT: Final = HOME / "short"
"""Results of short forms are kept separately."""


class _Found(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Outcome(_Found):
    """One scenario: the faults injected, the damage found, and the time until work resumed."""

    fault: str
    seed: int
    taken_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    runs: int = 0
    """Number of faults injected."""
    events: int = 0
    """Distinct events published."""
    kills: int = 0
    """Processes killed, workers and servers."""
    lost: int = 0
    doubled: int = 0
    unexplained: int = 0
    resume_seconds: list[float] = Field(default_factory=list)
    """From each restart, or the end of the fault, to the first newly committed record."""
    figures: dict[str, float] = Field(default_factory=dict)
    """Other figures, by name with unit."""
    notes: list[str] = Field(default_factory=list)
    """What this machine did not allow, and why."""
    failures: list[str] = Field(default_factory=list)
    """Guarantees that did not hold, in words; empty if all held."""

    @property
    def clean(self) -> bool:
        """Whether every guarantee held."""
        return not (self.lost or self.doubled or self.unexplained or self.failures)

    def resume(self, share: float) -> float | None:
        """Return a percentile of the time to resume, in seconds; None if none was measured."""
        return percentile(self.resume_seconds, share) if self.resume_seconds else None

    def expect(self, holds: bool, what: str) -> None:
        """Record a failure unless ``holds``."""
        if not holds:
            self.failures.append(what)

    def judged(self, verdict: Verdict) -> None:
        """Add the auditor's findings and our own counts."""
        self.lost += verdict.lost
        self.doubled += verdict.doubled
        self.unexplained += verdict.unexplained
        self.failures += verdict.details[:20]


class Result(_Found):
    """All scenarios run so far, by name."""

    machine: str = ""
    outcomes: dict[str, Outcome] = Field(default_factory=dict)


def load(folder: Path) -> Result:
    """Return the earlier results; empty if there are none, or if another version wrote them."""
    file = folder / "result.json"
    try:
        return Result.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return Result()


def add(name: str, outcome: Outcome, machine: str, folder: Path) -> None:
    """Add a scenario's outcome to those in the folder, in place of an earlier one of it.

    Several processes may do it at the same time.
    """
    with alone(folder / "result.lock"):
        result = load(folder)
        result.machine = machine
        result.outcomes[name] = outcome
        (folder / "result.json").write_text(result.model_dump_json(indent=2))
