"""Load the staffing table: how many cases each team can follow (counsellors times caseload).

No decision depends on it. It shows which teams are overloaded, so that staff can be moved before
cases have to be.

Errors::

    StaffingError    the table can't be used; the message lists every fault
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from schemas.outcomes import Track

_HERE: Final = Path(__file__).with_name("staffing.toml")
_TRACKS: Final = frozenset(Track)


class StaffingError(Exception):
    """The staffing table can't be used. ``faults`` lists every fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("fix the staffing table: " + "; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class StaffLine:
    """One team: its counsellors, and the number of cases that they can follow together."""

    office_id: str
    track: str
    counsellors: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Staffing:
    """The staffing table and the first day on which it is valid."""

    version: str
    valid_from: date
    teams: tuple[StaffLine, ...]

    def capacity(self, office_id: str, track: str) -> int | None:
        """Return how many cases a team can follow, or None if there is no such team."""
        return next(
            (t.capacity for t in self.teams if (t.office_id, t.track) == (office_id, track)), None
        )


def load(file: Path | None = None) -> Staffing:
    """Read the staffing table in this folder, or the given file.

    Raises:
        StaffingError: the file is not TOML, lacks an entry or names an unknown track.
        OSError: the file can't be read.
    """
    try:
        raw = tomllib.loads((file or _HERE).read_text())
    except tomllib.TOMLDecodeError as error:
        raise StaffingError([f"not TOML: {error}"]) from None
    faults = list(_faults(raw))
    if faults:
        raise StaffingError(faults)
    caseload: dict[str, int] = raw["caseload"]
    return Staffing(
        raw["version"],
        raw["valid_from"],
        tuple(
            StaffLine(row["office_id"], track, row[track], row[track] * caseload[track])
            for row in raw["team"]
            for track in caseload
            if track in row
        ),
    )


def _faults(raw: dict[str, Any]) -> Iterator[str]:
    if not isinstance(raw.get("version"), str):
        yield "version: must be a text"
    if not isinstance(raw.get("valid_from"), date):
        yield "valid_from: must be a date"
    caseload, teams = raw.get("caseload"), raw.get("team")
    if not isinstance(caseload, dict) or not isinstance(teams, list):
        yield "[caseload] or [[team]] is missing"
        return
    for track, cases in caseload.items():
        if track not in _TRACKS:
            yield f"caseload.{track}: no such track"
        if not _is_count(cases):
            yield f"caseload.{track}: not a number of cases"
    seen: set[str] = set()
    for row in teams:
        office_id = row.get("office_id")
        if not isinstance(office_id, str) or office_id in seen:
            yield f"team {office_id}: office_id is missing or used twice"
            continue
        seen.add(office_id)
        for track, counsellors in row.items():
            if track != "office_id" and track not in caseload:
                yield f"team {office_id}: {track} has no caseload"
            elif track != "office_id" and not _is_count(counsellors):
                yield f"team {office_id}: {track} is not a number of counsellors"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
