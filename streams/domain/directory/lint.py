"""Find the faults of an office directory before it routes anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from schemas.codes import Language
from schemas.events import Lodging
from streams.domain.directory.model import Assignment, Directory

_OFFICE_ID: Final = re.compile(r"[a-z][a-z0-9-]{2,31}")
_NEED_A_TEAM: Final = (Lodging.DETAINED, Lodging.RETURN_HOUSE, Lodging.OPEN_RETURN_PLACE)


def lint(directory: Directory, table: Mapping[str, Any]) -> list[str]:
    """Return every fault of a directory; an empty list if it can be used.

    ``table`` is the parsed TOML of the directory.
    """
    faults: list[str] = []
    offices = directory.offices
    transfers = directory.transfers
    lines = [*directory.coverage, *directory.fallback]
    named = {name for line in lines for name in line.office_ids}
    named |= {directory.triage_office, directory.german_office}
    named |= {counter.office_id for counter in directory.counters}
    faults += [f"office {name} is named but not listed" for name in sorted(named - {*offices})]
    if len(offices) != len(table["office"]):
        faults.append("an office id is used twice")
    faults += _shared(directory, table)
    faults += [
        f"lodging {kind} has no team" for kind in _NEED_A_TEAM if kind not in directory.teams
    ]
    ids = {*offices, *(team.office_id for team in directory.all_teams)}
    counter_ids = [counter.id for counter in directory.counters]
    faults += [
        f"counter {name}: the id is used twice"
        for name in sorted({*counter_ids})
        if counter_ids.count(name) > 1 or name in ids
    ]
    ids |= {*counter_ids}
    faults += [f"office id {i!r} is not well-formed" for i in ids if not _OFFICE_ID.fullmatch(i)]
    spans = [(f"office {office.id}", office.span) for office in offices.values()]
    spans += [(f"{line.area} to {line.offices}", line.span) for line in lines]
    spans += [(f"counter {counter.id}", counter.span) for counter in directory.counters]
    spans += [(f"transfer to {transfer.province}", transfer.span) for transfer in transfers]
    faults += [
        f"{name}: valid_to is not after valid_from" for name, s in spans if s.since >= s.until
    ]
    ranges = sorted(r for territory in directory.territories for r in territory.ranges)
    for (first, last), (following, _) in pairwise(ranges):
        if following <= last:
            faults.append(f"postcodes {first}-{last} overlap those from {following}")
    finer = [r for line in lines for r in line.ranges]
    finer += [r for counter in directory.counters for r in counter.ranges]
    faults += [f"postcodes {a}-{b} run backwards" for a, b in [*ranges, *finer] if a > b]
    faults += [
        f"counter {counter.id}: weekdays are 1 for Monday to 7 for Sunday"
        for counter in directory.counters
        if not counter.weekdays or not set(counter.weekdays) <= {1, 2, 3, 4, 5, 6, 7}
    ]
    faults += [
        f"counter {counter.id}: closes before it opens"
        for counter in directory.counters
        if counter.closes <= counter.opens
    ]
    provinces = {territory.province for territory in directory.territories}
    served = {line.province for line in lines if line.province}
    faults += [f"{p} has neither an office nor a fallback" for p in sorted(provinces - served)]
    mentioned = served | {transfer.province for transfer in transfers}
    faults += [f"{p} is not a territory" for p in sorted(mentioned - provinces)]
    postcodes = {
        *directory.german_postcodes,
        *directory.facilities,
        *(code for transfer in transfers for code in transfer.postcodes),
        *(code for first_last in finer for code in first_last),
    }
    faults += [
        f"postcode {code} is in no territory"
        for code in sorted(postcodes)
        if directory.territory_of(code) is None
    ]
    faults += [
        f"{line.area} to {line.offices} names both a province and postcodes: write two lines"
        for line in lines
        if line.province and line.ranges
    ]
    faults += [
        f"a line to {line.offices} names neither a province nor postcodes"
        for line in lines
        if not line.province and not line.ranges
    ]
    faults += [
        f"counter {counter.id} serves no postcode"
        for counter in directory.counters
        if not counter.ranges
    ]
    faults += _foreign_to_language(directory)
    for kind in ("coverage", "fallback"):
        faults += _overlaps(kind, getattr(directory, kind))
    for owner, names in [
        *((f"office {o.id}", o.name) for o in offices.values()),
        *((f"team {t.office_id}", t.name) for t in directory.all_teams),
    ]:
        faults += [
            f"{owner}: no name in {lang}" for lang in ("fr", "nl", "de", "en") if lang not in names
        ]
    return faults


def _shared(directory: Directory, table: Mapping[str, Any]) -> list[str]:
    """Return the faults of lines and teams that several offices share."""
    faults = []
    for teams in directory.teams.values():
        if len(teams) > 1 and not all(team.shared is True for team in teams):
            faults.append(
                "a lodging has two teams: say shared = true in each, if all may follow it"
            )
        if len({team.office_id for team in teams}) < len(teams):
            faults.append(f"team {teams[0].office_id} is listed twice for a lodging")
        if len({team.track for team in teams}) > 1:
            faults.append(
                f"the teams that share a lodging with {teams[0].office_id} differ in track"
            )
    for row in (*table["coverage"], *table["fallback"]):
        if "office_ids" in row:
            names = row["office_ids"]
            shown = "+".join(names)
            if "office_id" in row:
                faults.append(f"a line to {shown} has both office_id and office_ids")
            if len(names) < 2 or len(set(names)) < len(names):
                faults.append(
                    f"a line to {shown}: office_ids must name two or more offices, each once"
                )
    return faults


def _foreign_to_language(directory: Directory) -> list[str]:
    """Return the lines shared by an office that serves territories of other languages only.

    The language of the place comes first: room elsewhere must not bring a case before an office of
    another language. What an office serves follows from the lines that name it alone.
    """
    lines = (*directory.coverage, *directory.fallback)
    serves: dict[str, set[Language]] = {}
    for line in lines:
        if len(line.office_ids) == 1:
            serves.setdefault(line.office_id, set()).update(_languages(directory, line))
    return [
        f"{line.area} to {line.offices}: {name} serves other languages only"
        for line in lines
        if len(line.office_ids) > 1
        for name in line.office_ids
        if name in serves and not serves[name] & _languages(directory, line)
    ]


def _languages(directory: Directory, line: Assignment) -> set[Language]:
    """Return the languages that the territories of a line must accept."""
    found = [one for one in directory.territories if one.province == line.province]
    if line.ranges:
        found = [t for first, _ in line.ranges if (t := directory.territory_of(first)) is not None]
    return {language for territory in found for language in territory.honours}


def _overlaps(kind: str, lines: tuple[Assignment, ...]) -> list[str]:
    faults = []
    for index, line in enumerate(lines):
        for other in lines[index + 1 :]:
            same_area = line.province == other.province if line.province else False
            overlap = any(
                first <= end and begin <= last
                for first, last in line.ranges
                for begin, end in other.ranges
            )
            if (
                (same_area or overlap)
                and line.span.since < other.span.until
                and other.span.since < line.span.until
            ):
                faults.append(f"{kind}: {line.area} has two offices on the same day")
    return faults
