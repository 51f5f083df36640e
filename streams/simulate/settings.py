"""Settings of a simulated stream. Equal settings give equal bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SimulationSettings:
    """Size, window and faults of one stream. Raises ValueError for invalid values.

    The true histories depend only on ``seed``, ``scale``, ``start`` and ``cases``. Faults change
    how events are published, not the events.
    """

    start: datetime
    """First orders are notified from this instant on; needs a UTC offset."""
    end: datetime
    """No event is reported or published later; needs a UTC offset."""
    seed: int = 1
    """Any whole number."""
    scale: float = 0.1
    """1.0 is the whole country, 140 orders per working day."""
    cases: int | None = None
    """Maximum number of cases; None for no limit."""
    disorder: float = 0.02
    """Share of records published after their successor, or up to 6 hours late."""
    duplicates: float = 0.02
    """Share of records published twice with the same bytes."""
    late: float = 0.01
    """Share of records published 1 to 10 days late."""
    malformed: float = 0.0
    """Number of malformed records to add, as a share of the valid ones."""
    structured: float = 0.1
    """Share of records in CloudEvents structured mode; the others are in binary mode."""

    def __post_init__(self) -> None:
        if self.start.utcoffset() is None or self.end.utcoffset() is None:
            raise ValueError("start and end need a UTC offset")
        if self.end < self.start:
            raise ValueError("end is before start")
        if not self.scale > 0:
            raise ValueError("scale must be above 0")
        if self.cases is not None and self.cases < 0:
            raise ValueError("cases must not be negative")
        for name in ("disorder", "duplicates", "late", "malformed", "structured"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1")
