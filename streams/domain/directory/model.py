"""Types of the office directory: offices, territories and language law, each with its dates."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from functools import lru_cache, partial
from typing import Any, Final, final

from schemas.codes import Language
from schemas.events import Lodging
from schemas.outcomes import Track


@dataclass(frozen=True, slots=True)
class Span:
    """Period in which an entry of the directory is valid; ``until`` is the first day after it."""

    since: date = date.min
    until: date = date.max

    def includes(self, day: date) -> bool:
        """Return whether the entry is valid on a day."""
        return self.since <= day < self.until


@dataclass(frozen=True, slots=True)
class Office:
    """A regional return-counselling office and the period in which it is open."""

    id: str
    name: Mapping[str, str]
    span: Span


@dataclass(frozen=True, slots=True)
class Team:
    """A team that follows cases with one kind of lodging, whatever their province."""

    office_id: str
    track: Track
    name: Mapping[str, str]
    shared: bool = False
    """Whether other teams follow the same kind of lodging, each as properly as this one."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A province, or ranges of postcodes, and the office that covers it during a period.

    A line with postcodes is finer than one with a province, which is empty then, and wins over it.
    Several offices of one line are equally proper: the one with the needed skills and with room
    follows a new case.
    """

    province: str
    office_ids: tuple[str, ...]
    span: Span
    ranges: tuple[tuple[int, int], ...] = ()

    @property
    def office_id(self) -> str:
        """Return the first office of the line."""
        return self.office_ids[0]

    @property
    def offices(self) -> str:
        """Return all offices of the line as text."""
        return "+".join(self.office_ids)

    @property
    def area(self) -> str:
        """Return the province or the postcodes as text."""
        return self.province or "+".join(
            str(first) if first == last else f"{first}-{last}" for first, last in self.ranges
        )


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter of an office where people walk in, with its opening days and hours.

    ``weekdays`` are 1 for Monday to 7 for Sunday, ``opens`` and ``closes`` local times.
    """

    id: str
    office_id: str
    ranges: tuple[tuple[int, int], ...]
    weekdays: tuple[int, ...]
    opens: time
    closes: time
    span: Span

    @property
    def hours(self) -> str:
        """Return the opening days and hours as text: ``wed 09:00-12:00``."""
        return _hours(self.weekdays, self.opens, self.closes)


_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Territory:
    """A province: its postcodes, its administrative language and the languages it must accept."""

    province: str
    ranges: tuple[tuple[int, int], ...]
    language: Language
    honours: frozenset[Language]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Postcodes that moved to another province, and the period in which they belong to it."""

    postcodes: frozenset[int]
    province: str
    span: Span


@final
class Places:
    """What was found for the places that decisions asked for: nearly all ask for one of a few.

    Each is emptied when it is full.
    """

    located: Final[dict[tuple[str | None, bool, int, int], Any]]
    """Location by postcode, whether it is the residence, and the periods of two days."""
    languages: Final[dict[tuple[Language, str], Language]]
    """Language of the contact by that of the order and the postcode."""

    def __init__(self) -> None:
        self.located = {}
        self.languages = {}


@dataclass(frozen=True, slots=True, repr=False)
class Directory:
    """The whole directory. ``digest`` is the SHA-256 of its text, hexadecimal."""

    version: str
    digest: str
    body: str
    offices: Mapping[str, Office]
    teams: Mapping[Lodging, tuple[Team, ...]]
    triage_office: str
    territories: tuple[Territory, ...]
    transfers: tuple[Transfer, ...]
    coverage: tuple[Assignment, ...]
    fallback: tuple[Assignment, ...]
    counters: tuple[Counter, ...]
    german_office: str
    german_postcodes: frozenset[int]
    facilities: Mapping[int, frozenset[Language]]
    valid_from: date = date.min
    """First day on which this version is in force."""
    territory_of: Callable[[int], Territory | None] = field(init=False, repr=False, compare=False)
    """Return the territory of a postcode, ignoring transfers. Cached."""
    _bounds: tuple[date, ...] = field(init=False, repr=False, compare=False)
    _line_in: Callable[[int, str, int, bool], Assignment | None] = field(
        init=False, repr=False, compare=False
    )
    """Line that assigns a postcode in a period between two bounds. Cached: every decision asks."""
    places: Places = field(init=False, repr=False, compare=False)
    """What routing found for a place."""

    def __post_init__(self) -> None:
        territory_of = lru_cache(maxsize=_CACHE_SIZE)(partial(_territory_of, self.territories))
        object.__setattr__(self, "territory_of", territory_of)
        spans = [office.span for office in self.offices.values()]
        spans += [line.span for line in (*self.coverage, *self.fallback)]
        spans += [transfer.span for transfer in self.transfers]
        bounds = {bound for span in spans for bound in (span.since, span.until)}
        object.__setattr__(self, "_bounds", tuple(sorted(bounds - {date.max})))
        object.__setattr__(self, "_line_in", lru_cache(maxsize=_CACHE_SIZE)(self._find_line))
        object.__setattr__(self, "places", Places())

    def __repr__(self) -> str:
        return f"Directory({self.version}, {self.digest[:12]})"

    def lists(self, office_id: str) -> bool:
        """Return whether this version has an office or a team with an id."""
        return office_id in self.offices or any(
            team.office_id == office_id for team in self.all_teams
        )

    def name(self, office_id: str, language: str) -> str:
        """Return the display name of an office or team."""
        teams = {team.office_id: team.name for team in self.all_teams}
        names = teams.get(office_id) or self.offices[office_id].name
        return names[language]

    @property
    def all_teams(self) -> tuple[Team, ...]:
        """Return the teams of every kind of lodging."""
        return tuple(team for teams in self.teams.values() for team in teams)

    def province_of(self, postcode: int, day: date) -> str | None:
        """Return the province of a postcode on a day, or None if no range contains it."""
        for transfer in self.transfers:
            if postcode in transfer.postcodes and transfer.span.includes(day):
                return transfer.province
        territory = self.territory_of(postcode)
        return territory.province if territory else None

    def office_of(self, name: str) -> Office | None:
        """Return the office with an id, or the office of the counter with that id, or None."""
        office = self.offices.get(name)
        if office is None:
            for counter in self.counters:
                if counter.id == name:
                    return self.offices[counter.office_id]
        return office

    def open_office(self, lines: Sequence[Assignment], province: str, day: date) -> Office | None:
        """Return the first open office that ``lines`` assign to a whole province on a day."""
        for line in lines:
            if line.province == province and line.span.includes(day):
                for office in self.offices_of(line, day):
                    return office
        return None

    def offices_of(self, line: Assignment, day: date) -> tuple[Office, ...]:
        """Return the offices of a line that are open on a day."""
        offices, names = self.offices, line.office_ids
        if len(names) == 1:  # nearly always, and every decision asks
            office = offices[names[0]]
            return (office,) if office.span.includes(day) else ()
        return tuple(one for name in names if (one := offices[name]).span.includes(day))

    def line_for(
        self, postcode: int, province: str, day: date, *, fallback: bool = False
    ) -> Assignment | None:
        """Return the line that assigns a postcode to open offices on a day, or None.

        It is one of the coverage, or of ``fallback``. A line that names the postcode wins over the
        line of the province.
        """
        return self._line_in(postcode, province, bisect_right(self._bounds, day), fallback)

    def _find_line(
        self, postcode: int, province: str, period: int, fallback: bool
    ) -> Assignment | None:
        day = self._bounds[period - 1] if period else date.min
        found: Assignment | None = None
        for line in self.fallback if fallback else self.coverage:
            finer = _contains(line.ranges, postcode)
            if (
                (finer or line.province == province)
                and line.span.includes(day)
                and self.offices_of(line, day)
            ):
                if finer:
                    return line
                found = found or line
        return found

    def counter_of(self, office_id: str, postcode: int | None, day: date) -> Counter | None:
        """Return the counter of an office that serves a postcode on a day, or None.

        If no counter serves the postcode, or it is not known: the first counter of the office.
        """
        found: Counter | None = None
        for counter in self.counters:
            if counter.office_id == office_id and counter.span.includes(day):
                if postcode is not None and _contains(counter.ranges, postcode):
                    return counter
                found = found or counter
        return found

    def period_of(self, day: date) -> int:
        """Return the number of the period of a day: in a period every entry is valid, or is not."""
        return bisect_right(self._bounds, day)

    def changes_after(self, day: date) -> Sequence[date]:
        """Return the days after ``day`` on which an entry starts or stops being valid, in order."""
        return self._bounds[bisect_right(self._bounds, day) :]

    def changes_between(self, day: date, today: date) -> bool:
        """Return whether an entry starts or stops being valid after ``day``, up to ``today``."""
        return bisect_right(self._bounds, day) < bisect_right(self._bounds, today)


_CACHE_SIZE: Final = 9_000
MOST_PLACES: Final = 9_000


@lru_cache(maxsize=256)
def _hours(weekdays: tuple[int, ...], opens: time, closes: time) -> str:
    """Return opening days and hours as text. Cached: many routes name the same few counters."""
    days = "+".join(_DAYS[day - 1] for day in weekdays)
    return f"{days} {opens:%H:%M}-{closes:%H:%M}"


def _contains(ranges: Sequence[tuple[int, int]], postcode: int) -> bool:
    return any(first <= postcode <= last for first, last in ranges)


def _territory_of(territories: Sequence[Territory], postcode: int) -> Territory | None:
    for territory in territories:
        if _contains(territory.ranges, postcode):
            return territory
    return None
