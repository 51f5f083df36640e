"""What differs between two versions of the office directory: entry by entry."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

from schemas.codes import Language
from streams.domain.directory.model import Assignment, Directory

_Key = TypeVar("_Key", bound=Hashable)
_Entry = TypeVar("_Entry")


class Part(StrEnum):
    """A list of the directory, in the order in which changes are shown."""

    WHOLE = "whole"
    """What is said once: the first day, the office of last resort, the German-speaking communes."""
    OFFICE = "office"
    COVERAGE = "coverage"
    FALLBACK = "fallback"
    COUNTER = "counter"
    TEAM = "team"
    TERRITORY = "territory"
    TRANSFER = "transfer"
    FACILITY = "facility"


WHOLE: Final = ("valid_from", "triage_office", "german_office", "german_postcodes")


class EntryChange(NamedTuple):
    """An entry that differs; None where one version lacks it."""

    part: Part
    key: Any
    """What names it: an id, a province, a pair of province and postcodes, a kind of lodging."""
    before: Any
    after: Any


class DirectoryChanges(NamedTuple):
    """Everything that differs."""

    entries: tuple[EntryChange, ...]
    """Part by part; of a part, entries that the new version lacks are last."""
    reordered: bool
    """Whether counters or transfers that both have stand in another order: the first wins."""

    @property
    def none(self) -> bool:
        """Return whether nothing differs."""
        return not (self.entries or self.reordered)


def changes(before: Directory, after: Directory) -> DirectoryChanges:
    """Return what differs between two versions, their names and digests apart."""
    old, new = _parts(before), _parts(after)
    return DirectoryChanges(
        tuple(
            EntryChange(part, key, old[part].get(key), new[part].get(key))
            for part in Part
            for key in _keys(new[part], old[part])
            if old[part].get(key) != new[part].get(key)
        ),
        any(
            _common(one, other) != _common(other, one)
            for one, other in (
                (_ids(before), _ids(after)),
                (before.transfers, after.transfers),
            )
        ),
    )


def _parts(directory: Directory) -> Mapping[Part, Mapping[Any, Any]]:
    """Return the entries of each part by what names them."""
    facilities: dict[Language, frozenset[int]] = {}
    for postcode, languages in directory.facilities.items():
        for language in languages:
            facilities[language] = facilities.get(language, frozenset()) | {postcode}
    return {
        Part.WHOLE: {name: getattr(directory, name) for name in WHOLE},
        Part.OFFICE: directory.offices,
        Part.COVERAGE: _lines(directory.coverage),
        Part.FALLBACK: _lines(directory.fallback),
        Part.COUNTER: {one.id: one for one in directory.counters},
        Part.TEAM: directory.teams,
        Part.TERRITORY: _grouped((one.province, one) for one in directory.territories),
        Part.TRANSFER: _grouped((one.province, one) for one in directory.transfers),
        Part.FACILITY: facilities,
    }


def _lines(lines: Iterable[Assignment]) -> Mapping[tuple[Any, ...], tuple[Assignment, ...]]:
    """Return the lines of each area, in the order of their first days: no two overlap."""
    ordered = sorted(lines, key=lambda one: one.span.since)
    return _grouped(((one.province, one.ranges), one) for one in ordered)


def _grouped(pairs: Iterable[tuple[_Key, _Entry]]) -> dict[_Key, tuple[_Entry, ...]]:
    found: dict[_Key, tuple[_Entry, ...]] = {}
    for key, entry in pairs:
        found[key] = (*found.get(key, ()), entry)
    return found


def _keys(new: Mapping[Any, Any], old: Mapping[Any, Any]) -> list[Any]:
    return list(dict.fromkeys([*new, *old]))


def _ids(directory: Directory) -> tuple[str, ...]:
    return tuple(one.id for one in directory.counters)


def _common(mine: tuple[_Entry, ...], others: tuple[_Entry, ...]) -> list[_Entry]:
    return [one for one in mine if one in others]
