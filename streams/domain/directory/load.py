"""Load the office directory from TOML and lint it.

Errors::

    DirectoryError         the directory can't be used; the message lists every fault
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, time
from hashlib import sha256
from typing import Any, Final

from schemas.codes import Language
from schemas.events import Lodging
from schemas.outcomes import Track
from streams.domain.directory.lint import lint
from streams.domain.directory.model import (
    Assignment,
    Counter,
    Directory,
    Office,
    Span,
    Team,
    Territory,
    Transfer,
)
from streams.domain.keys import Keys, unknown_keys, values


class DirectoryError(Exception):
    """The office directory can't be used. ``faults`` lists every fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("fix the office directory: " + "; ".join(faults))
        self.faults = tuple(faults)


_SPAN: Final = ("valid_from", "valid_to")
_NAMES: Final = values("fr", "nl", "de", "en")
_KEYS: Final[Keys] = {
    **values("version", "valid_from"),
    "office": {**values("id", "at", *_SPAN), "name": _NAMES},
    "team": {**values("lodging", "office_id", "track", "shared"), "name": _NAMES},
    "triage": values("office_id"),
    "territory": values("province", "postcodes", "language", "honours"),
    "transfer": values("postcodes", "province", *_SPAN),
    "coverage": values("province", "postcodes", "office_id", "office_ids", *_SPAN),
    "fallback": values("province", "postcodes", "office_id", "office_ids", *_SPAN),
    "counter": values("id", "office_id", "postcodes", "weekdays", "opens", "closes", *_SPAN),
    "german": values("office_id", "postcodes"),
    "facility": values("postcodes", "honours"),
}
"""Keys of the directory. ``at`` is an office's position on the board's map.

``office_ids``, and ``shared`` of a team, say that several offices or teams are equally proper."""


def load_directory(text: str) -> Directory:
    """Return the directory in a TOML text.

    Raises:
        DirectoryError: the directory has faults; the error lists all of them, not only the first.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DirectoryError([f"not TOML: {error}"]) from None
    faults = list(unknown_keys(table, _KEYS))
    try:
        directory = _build(table, text)
        faults += lint(directory, table)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DirectoryError([*faults, f"missing or misplaced: {error!r}"]) from None
    if faults:
        raise DirectoryError(faults)
    return directory


def _build(table: Mapping[str, Any], text: str) -> Directory:
    facilities: dict[int, frozenset[Language]] = {}
    teams: dict[Lodging, tuple[Team, ...]] = {}
    for row in table["team"]:
        team = Team(row["office_id"], Track(row["track"]), row["name"], row.get("shared", False))
        lodging = Lodging(row["lodging"])
        teams[lodging] = (*teams.get(lodging, ()), team)
    for row in table["facility"]:
        for code in row["postcodes"]:
            facilities[code] = facilities.get(code, frozenset()) | {*map(Language, row["honours"])}
    return Directory(
        version=table["version"],
        digest=sha256(text.encode()).hexdigest(),
        body=text,
        offices={row["id"]: Office(row["id"], row["name"], _span(row)) for row in table["office"]},
        teams=teams,
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
        counters=tuple(_counter(row) for row in table.get("counter", ())),
        german_office=table["german"]["office_id"],
        german_postcodes=frozenset(table["german"]["postcodes"]),
        facilities=facilities,
        valid_from=_span(table).since,
    )


def _span(row: Mapping[str, Any]) -> Span:
    since, until = row.get("valid_from", date.min), row.get("valid_to", date.max)
    if type(since) is not date or type(until) is not date:
        raise ValueError("valid_from and valid_to must be dates without quotes")
    return Span(since, until)


def _assignment(row: Mapping[str, Any]) -> Assignment:
    """Return a line; one that names both a province and postcodes is a fault that lint finds."""
    ranges = _ranges(row.get("postcodes", ()))
    office_ids = row["office_ids"] if "office_ids" in row else [row["office_id"]]
    if type(office_ids) is not list or not office_ids or {*map(type, office_ids)} != {str}:
        raise ValueError("office_id must be a text, and office_ids a list of texts")
    return Assignment(row.get("province", ""), tuple(office_ids), _span(row), ranges)


def _ranges(values: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    """Return ranges of postcodes from a list of numbers and pairs of numbers."""
    pairs = [(value, value) if type(value) is int else tuple(value) for value in values]
    if any(len(pair) != 2 or {*map(type, pair)} != {int} for pair in pairs):
        raise ValueError("postcodes must be numbers, or pairs of a first and a last number")
    return tuple((first, last) for first, last in pairs)


def _counter(row: Mapping[str, Any]) -> Counter:
    return Counter(
        row["id"],
        row["office_id"],
        _ranges(row["postcodes"]),
        tuple(row["weekdays"]),
        _time(row["opens"]),
        _time(row["closes"]),
        _span(row),
    )


def _time(value: Any) -> time:
    if type(value) is not time:
        raise ValueError("opens and closes must be times without quotes, like 09:00:00")
    return value
