"""The office directory: offices, territories and language law as dated data, loaded and linted.

Errors::

    DirectoryError         the directory can't be used; the message lists every fault found
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache, partial
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final

from schemas.events import Lodging
from schemas.outcomes import Track
from schemas.types import Language

_OFFICE_ID: Final = re.compile(r"[a-z][a-z0-9-]{2,31}")
_NEED_A_TEAM: Final = (Lodging.DETAINED, Lodging.RETURN_HOUSE, Lodging.OPEN_RETURN_PLACE)


class DirectoryError(Exception):
    """The office directory can't be used."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("mend the office directory: " + "; ".join(faults))
        self.faults = tuple(faults)


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


def load(text: str) -> Directory:
    """Return the directory in a TOML text.

    Raises:
        DirectoryError: with every fault found, not just the first.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DirectoryError([f"not TOML: {error}"]) from None
    try:
        directory = _build(table, text)
        faults = _lint(directory, table)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DirectoryError([f"missing or misplaced: {error!r}"]) from None
    if faults:
        raise DirectoryError(faults)
    return directory


def _build(table: Mapping[str, Any], text: str) -> Directory:
    facilities: dict[int, frozenset[Language]] = {}
    for row in table["facility"]:
        for code in row["postcodes"]:
            facilities[code] = facilities.get(code, frozenset()) | {*map(Language, row["honours"])}
    return Directory(
        version=table["version"],
        digest=sha256(text.encode()).hexdigest(),
        body=text,
        offices={row["id"]: Office(row["id"], row["name"], _span(row)) for row in table["office"]},
        teams={
            Lodging(row["lodging"]): Team(row["office_id"], Track(row["track"]), row["name"])
            for row in table["team"]
        },
        triage_office=table["triage"]["office_id"],
        territories=tuple(
            Territory(
                row["province"],
                tuple((first, last) for first, last in row["postcodes"]),
                Language(row["language"]),
                frozenset(map(Language, row.get("honours", [row["language"]]))),
            )
            for row in table["territory"]
        ),
        transfers=tuple(
            Transfer(frozenset(row["postcodes"]), row["province"], _span(row))
            for row in table["transfer"]
        ),
        coverage=tuple(_assignment(row) for row in table["coverage"]),
        fallback=tuple(_assignment(row) for row in table["fallback"]),
        german_office=table["german"]["office_id"],
        german_postcodes=frozenset(table["german"]["postcodes"]),
        facilities=facilities,
    )


def _span(row: Mapping[str, Any]) -> Span:
    since, until = row.get("valid_from", date.min), row.get("valid_to", date.max)
    if type(since) is not date or type(until) is not date:
        raise ValueError("valid_from and valid_to are days without quotes")
    return Span(since, until)


def _assignment(row: Mapping[str, Any]) -> Assignment:
    return Assignment(row["province"], row["office_id"], _span(row))


def _lint(directory: Directory, table: Mapping[str, Any]) -> list[str]:
    faults: list[str] = []
    offices = directory.offices
    moves = directory.transfers
    lines = [*directory.coverage, *directory.fallback]
    named = {line.office_id for line in lines} | {directory.triage_office, directory.german_office}
    faults += [f"office {name} is named but not listed" for name in sorted(named - {*offices})]
    if len(offices) != len(table["office"]):
        faults.append("an office id is used twice")
    if len(directory.teams) != len(table["team"]):
        faults.append("a lodging has two teams")
    faults += [
        f"lodging {kind} has no team" for kind in _NEED_A_TEAM if kind not in directory.teams
    ]
    ids = {*offices, *(team.office_id for team in directory.teams.values())}
    faults += [f"office id {i!r} is not well-formed" for i in ids if not _OFFICE_ID.fullmatch(i)]
    spans = [(f"office {office.id}", office.span) for office in offices.values()]
    spans += [(f"{line.province} to {line.office_id}", line.span) for line in lines]
    spans += [(f"transfer to {transfer.province}", transfer.span) for transfer in moves]
    faults += [
        f"{what}: valid_to is not after valid_from" for what, s in spans if s.since >= s.until
    ]
    ranges = sorted(r for territory in directory.territories for r in territory.ranges)
    for (first, last), (following, _) in pairwise(ranges):
        if following <= last:
            faults.append(f"postcodes {first}-{last} overlap those from {following}")
    faults += [f"postcodes {a}-{b} run backwards" for a, b in ranges if a > b]
    provinces = {territory.province for territory in directory.territories}
    served = {line.province for line in lines}
    faults += [f"{p} has neither an office nor a fallback" for p in sorted(provinces - served)]
    mentioned = served | {transfer.province for transfer in moves}
    faults += [f"{p} is no territory" for p in sorted(mentioned - provinces)]
    coded = {
        *directory.german_postcodes,
        *directory.facilities,
        *(code for transfer in moves for code in transfer.postcodes),
    }
    faults += [
        f"postcode {code} lies in no territory"
        for code in sorted(coded)
        if directory.territory_of(code) is None
    ]
    for kind in ("coverage", "fallback"):
        faults += _overlaps(kind, getattr(directory, kind))
    for what, names in [
        *((f"office {o.id}", o.name) for o in offices.values()),
        *((f"team {t.office_id}", t.name) for t in directory.teams.values()),
    ]:
        faults += [
            f"{what}: no name in {lang}" for lang in ("fr", "nl", "de", "en") if lang not in names
        ]
    return faults


def _overlaps(kind: str, lines: tuple[Assignment, ...]) -> list[str]:
    faults = []
    for at, line in enumerate(lines):
        for other in lines[at + 1 :]:
            both = line.province == other.province
            if both and line.span.since < other.span.until and other.span.since < line.span.until:
                faults.append(f"{kind}: {line.province} has two offices on the same day")
    return faults
