"""Types of the staffing table: counsellors, languages and capacity of each team, with dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeAlias

from streams.domain.directory.model import Span

TeamKey: TypeAlias = tuple[str, str]
"""Office and track."""
ALWAYS: Final = Span()


@dataclass(frozen=True, slots=True)
class StaffLine:
    """One team during a period: its counsellors, and the cases that they can follow together.

    ``languages`` are those into which its people interpret, as ISO 639 codes; None if not known.
    """

    office_id: str
    track: str
    counsellors: int
    capacity: int
    span: Span = ALWAYS
    languages: frozenset[str] | None = None

    @property
    def team(self) -> TeamKey:
        """Return the office and the track."""
        return self.office_id, self.track

    def interprets(self, language: str) -> bool | None:
        """Return whether the team interprets into a language; None if not known."""
        return None if self.languages is None else language in self.languages


@dataclass(frozen=True, slots=True)
class RampUp:
    """How a new team grows: its share of the full capacity on its first day, and days until all."""

    first_day_percent: int = 100
    days: int = 0

    def of(self, capacity: int, days_open: int) -> int:
        """Return the capacity that many days after the first day, rounded down, at least 1."""
        if not capacity or days_open >= self.days:
            return capacity
        percent = self.first_day_percent
        share = percent * self.days + (100 - percent) * days_open
        return max(1, capacity * share // (100 * self.days))


@dataclass(frozen=True, slots=True)
class Staffing:
    """The staffing table and the first day on which it is valid."""

    version: str
    valid_from: date
    teams: tuple[StaffLine, ...]
    """All lines; those of one team never overlap."""
    ramp_up: RampUp = RampUp()
    tracks: frozenset[str] = frozenset()
    """Tracks that the table staffs. Of the others no capacity is known."""
    _lines: Mapping[TeamKey, tuple[StaffLine, ...]] = field(init=False, repr=False, compare=False)
    _offices: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lines: dict[TeamKey, tuple[StaffLine, ...]] = {}
        for line in sorted(self.teams, key=lambda one: one.span.since):
            lines[line.team] = (*lines.get(line.team, ()), line)
        object.__setattr__(self, "_lines", lines)
        object.__setattr__(self, "_offices", frozenset(line.office_id for line in self.teams))

    def on(self, day: date) -> tuple[StaffLine, ...]:
        """Return the lines that are valid on a day."""
        return tuple(line for line in self.teams if line.span.includes(day))

    def line(self, office_id: str, track: str, day: date) -> StaffLine | None:
        """Return the line of a team on a day, or None."""
        lines = self._lines.get((office_id, track), ())
        return next((line for line in lines if line.span.includes(day)), None)

    def capacity(self, office_id: str, track: str, day: date) -> int | None:
        """Return how many cases a team can follow on a day, or None if there is no such team.

        A team whose first line has a first day ramps up from that day on.
        """
        lines = self._lines.get((office_id, track))
        if lines is None:
            return None
        line = self.line(office_id, track, day)
        return self.ramp_up.of(line.capacity, (day - lines[0].span.since).days) if line else 0

    def has_team(self, office_id: str, track: str, day: date) -> bool | None:
        """Return whether an office has counsellors of a track on a day; None if not known.

        It is not known of an office that the table does not name, nor of a track that it does not
        staff.
        """
        if office_id not in self._offices or track not in self.tracks:
            return None
        line = self.line(office_id, track, day)
        return line is not None and line.counsellors > 0
