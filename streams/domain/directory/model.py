"""Types of the office directory: offices, territories and language law as dated data."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache, partial
from typing import Final

from schemas.events import Lodging
from schemas.outcomes import Track
from schemas.types import Language


@dataclass(frozen=True, slots=True)
class Span:
    """Days on which a line of the directory holds; ``until`` is the first day it no longer does."""

    since: date = date.min
    until: date = date.max

    def holds(self, day: date) -> bool:
        """Whether the line holds on that day."""
        return self.since <= day < self.until


@dataclass(frozen=True, slots=True)
class Office:
    """A regional office or a team outside the offices."""

    id: str
    name: Mapping[str, str]
    span: Span


@dataclass(frozen=True, slots=True)
class Team:
    """A team that takes every case with a kind of lodging, wherever it is."""

    office_id: str
    track: Track
    name: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A province is covered by an office while the span holds."""

    province: str
    office_id: str
    span: Span


@dataclass(frozen=True, slots=True)
class Territory:
    """A province's postcodes and the language of its administration."""

    province: str
    ranges: tuple[tuple[int, int], ...]
    language: Language
    honours: frozenset[Language]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Postcodes that changed province on a day."""

    postcodes: frozenset[int]
    province: str
    span: Span


@dataclass(frozen=True, slots=True)
class Directory:
    """The whole directory. ``digest`` is the SHA-256 of its text, hexadecimal."""

    version: str
    digest: str
    body: str
    offices: Mapping[str, Office]
    teams: Mapping[Lodging, Team]
    triage_office: str
    territories: tuple[Territory, ...]
    transfers: tuple[Transfer, ...]
    coverage: tuple[Assignment, ...]
    fallback: tuple[Assignment, ...]
    german_office: str
    german_postcodes: frozenset[int]
    facilities: Mapping[int, frozenset[Language]]
    territory_of: Callable[[int], Territory | None] = field(init=False, repr=False, compare=False)
    """The postal territory of a postcode, before any transfer; kept, for there are few."""
    _edges: Sequence[date] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        territory_of = lru_cache(maxsize=_POSTCODES)(partial(_territory_of, self.territories))
        object.__setattr__(self, "territory_of", territory_of)
        spans = [office.span for office in self.offices.values()]
        spans += [line.span for line in (*self.coverage, *self.fallback)]
        spans += [transfer.span for transfer in self.transfers]
        edges = {edge for span in spans for edge in (span.since, span.until)}
        object.__setattr__(self, "_edges", sorted(edges))

    def name(self, office_id: str, language: str) -> str:
        """Return the name of an office or team for people to read."""
        teams = {team.office_id: team.name for team in self.teams.values()}
        names = teams.get(office_id) or self.offices[office_id].name
        return names[language]

    def province_of(self, postcode: int, day: date) -> str | None:
        """Return the province of a postcode on a day; None outside every range."""
        for transfer in self.transfers:
            if postcode in transfer.postcodes and transfer.span.holds(day):
                return transfer.province
        territory = self.territory_of(postcode)
        return territory.province if territory else None

    def open_office(self, lines: Sequence[Assignment], province: str, day: date) -> Office | None:
        """Return the office that covers a province by these lines and is open on a day."""
        for line in lines:
            if line.province == province and line.span.holds(day):
                office = self.offices[line.office_id]
                if office.span.holds(day):
                    return office
        return None

    def next_change(self, day: date) -> date:
        """Return the first day after ``day`` on which a line begins or ceases to hold."""
        at = bisect_right(self._edges, day)
        return self._edges[at] if at < len(self._edges) else date.max


_POSTCODES: Final = 9_000


def _territory_of(territories: Sequence[Territory], postcode: int) -> Territory | None:
    for territory in territories:
        if any(first <= postcode <= last for first, last in territory.ranges):
            return territory
    return None
