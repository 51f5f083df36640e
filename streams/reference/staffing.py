"""Load the staffing table: how many cases each team can follow (counsellors times caseload).

Which office a case may go to follows from the directory alone. The table decides between offices
that are equally proper, and shows which teams are overloaded.

Errors::

    StaffingError    the table can't be used; the message lists every fault
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from schemas.outcomes import Track
from streams.domain.directory.model import Span
from streams.domain.staffing import RampUp, Staffing, StaffLine

_HERE: Final = Path(__file__).with_name("staffing.toml")
_TRACKS: Final = frozenset(Track)
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_NO_TRACKS: Final = frozenset({"office_id", "languages", "valid_from", "valid_to"})
"""Keys of a line that are no track."""


class StaffingError(Exception):
    """The staffing table can't be used. ``faults`` lists every fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("fix the staffing table: " + "; ".join(faults))
        self.faults = faults


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
    lines = tuple(
        StaffLine(
            row["office_id"],
            track,
            row[track],
            row[track] * caseload[track],
            _span(row),
            frozenset(row["languages"]) if "languages" in row else None,
        )
        for row in raw["team"]
        for track in caseload
        if track in row
    )
    faults = list(_overlaps(lines))
    if faults:
        raise StaffingError(faults)
    ramp = raw.get("ramp_up")
    return Staffing(
        raw["version"],
        raw["valid_from"],
        lines,
        RampUp(ramp["first_day_percent"], ramp["days"]) if ramp else RampUp(),
        frozenset(caseload),
    )


def _span(row: dict[str, Any]) -> Span:
    return Span(row.get("valid_from", date.min), row.get("valid_to", date.max))


def _faults(raw: dict[str, Any]) -> Iterator[str]:
    if not isinstance(raw.get("version"), str):
        yield "version: must be a text"
    if not isinstance(raw.get("valid_from"), date):
        yield "valid_from: must be a date"
    ramp = raw.get("ramp_up", {"first_day_percent": 100, "days": 0})
    if not isinstance(ramp, dict) or {*ramp} != {"first_day_percent", "days"}:
        yield "[ramp_up] must have first_day_percent and days"
    elif not all(map(_is_count, ramp.values())) or ramp["first_day_percent"] > 100:
        yield "[ramp_up] must have a percentage and a number of days"
    caseload, teams = raw.get("caseload"), raw.get("team")
    if not isinstance(caseload, dict) or not isinstance(teams, list):
        yield "[caseload] or [[team]] is missing"
        return
    for track, cases in caseload.items():
        if track not in _TRACKS:
            yield f"caseload.{track}: no such track"
        if not _is_count(cases):
            yield f"caseload.{track}: not a number of cases"
    for row in teams:
        office_id = row.get("office_id")
        if not isinstance(office_id, str):
            yield f"team {office_id}: office_id is missing"
            continue
        yield from _faults_of_line(row, office_id, caseload)


def _faults_of_line(row: dict[str, Any], office_id: str, caseload: dict[str, Any]) -> Iterator[str]:
    for track, counsellors in row.items():
        if track not in _NO_TRACKS and track not in caseload:
            yield f"team {office_id}: {track} has no caseload"
        elif track not in _NO_TRACKS and not _is_count(counsellors):
            yield f"team {office_id}: {track} is not a number of counsellors"
    dates = [row[name] for name in ("valid_from", "valid_to") if name in row]
    if any(type(day) is not date for day in dates):
        yield f"team {office_id}: valid_from and valid_to must be dates without quotes"
    elif dates != sorted(set(dates)):
        yield f"team {office_id}: valid_to is not after valid_from"
    languages = row.get("languages", [])
    if not isinstance(languages, list) or not all(
        isinstance(one, str) and _LANGUAGE.fullmatch(one) for one in languages
    ):
        yield f"team {office_id}: languages must be ISO 639 codes, such as ti or ar"


def _overlaps(lines: tuple[StaffLine, ...]) -> Iterator[str]:
    ordered = sorted(lines, key=lambda line: (line.team, line.span.since))
    for line, following in pairwise(ordered):
        if line.team == following.team and following.span.since < line.span.until:
            yield f"team {line.office_id}: {line.track} has two lines on the same day"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
