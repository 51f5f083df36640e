"""Say in words what differs between two versions of the office directory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any, NamedTuple, assert_never

from streams.domain.directory.changes import DirectoryChanges, EntryChange, Part
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
from streams.domain.explain.policy_changes import Block, Compared
from streams.domain.explain.wording import Wording
from streams.domain.policy.rules import LANGUAGES

_Range = tuple[int, int]


def changes_in_words(
    found: DirectoryChanges, before: Directory, after: Directory, wording: Wording
) -> list[Block]:
    """Return what differs as one block for each part of the directory; none if nothing does."""
    blocks = []
    for part, changed in groupby(found.entries, lambda one: one.part):
        rows = [_row(one, _Sides(before, after), wording) for one in changed]
        blocks.append(Block(part, wording.sentence(f"directory_change.{part}"), rows))
    if found.reordered:
        heading = wording.sentence("directory_change.reordered")
        blocks.append(Block("reordered", heading, ()))
    return blocks


class _Sides(NamedTuple):
    """Both directories: each names its own offices."""

    before: Directory
    after: Directory

    def name(self, office_id: str, language: str) -> str:
        """Return the name of an office or a team by the newest directory that has it."""
        for directory in (self.after, self.before):
            if directory.lists(office_id):
                return directory.name(office_id, language)
        return office_id


def _row(one: EntryChange, sides: _Sides, wording: Wording) -> Compared:
    before, after = (
        () if value is None else _lines(one, value, sides, wording)
        for value in (one.before, one.after)
    )
    return Compared(_subject(one, sides, wording), before, after)


def _subject(one: EntryChange, sides: _Sides, wording: Wording) -> str:
    """Return the name of an entry."""
    match one.part:
        case Part.WHOLE:
            if one.key == "valid_from":
                return wording.word("policy_part", "valid_from")
            return wording.sentence(f"directory_change.{one.key}")
        case Part.OFFICE:
            name = sides.name(one.key, wording.language)
            return wording.sentence("directory_change.named", text=name, id=one.key)
        case Part.COVERAGE | Part.FALLBACK:
            province, ranges = one.key
            return _province(province, wording) if province else _postcodes(ranges, wording)
        case Part.COUNTER:
            return str(one.key)
        case Part.TEAM:
            return wording.word("lodging", one.key)
        case Part.TERRITORY | Part.TRANSFER:
            return _province(one.key, wording)
        case Part.FACILITY:
            return wording.word("procedure_language", one.key)
        case _:
            assert_never(one.part)


def _lines(one: EntryChange, value: Any, sides: _Sides, wording: Wording) -> Sequence[str]:
    """Return one side of an entry as lines."""
    match one.part:
        case Part.WHOLE:
            return _whole(one.key, value, one, sides, wording)
        case Part.OFFICE:
            office: Office = value
            return (*_names(one, office, wording), _span(office.span, wording))
        case Part.COVERAGE | Part.FALLBACK:
            return tuple(_assignment(line, sides, wording) for line in value)
        case Part.COUNTER:
            return _counter(value, sides, wording)
        case Part.TEAM:
            return tuple(_team(team, wording) for team in value)
        case Part.TERRITORY:
            return tuple(line for each in value for line in _territory(each, wording))
        case Part.TRANSFER:
            return tuple(_transfer(each, wording) for each in value)
        case Part.FACILITY:
            return _shared_and_own(value, one, wording)
        case _:
            assert_never(one.part)


def _whole(
    name: str, value: Any, one: EntryChange, sides: _Sides, wording: Wording
) -> Sequence[str]:
    if name == "valid_from":
        none = wording.sentence("directory_change.always")
        return (none if value == date.min else wording.formats.day(value, wording.language),)
    if name == "german_postcodes":
        return _shared_and_own(value, one, wording)
    return (sides.name(value, wording.language),)


def _names(one: EntryChange, office: Office, wording: Wording) -> Iterable[str]:
    """Yield the name, and its form in each other language in which it differs."""
    yield office.name[wording.language]
    if one.before is None or one.after is None:
        return
    for language in LANGUAGES:
        if language != wording.language and one.before.name[language] != one.after.name[language]:
            name = office.name[language]
            yield wording.sentence("directory_change.name_in", code=language, text=name)


def _assignment(line: Assignment, sides: _Sides, wording: Wording) -> str:
    offices = wording.any_of(sides.name(one, wording.language) for one in line.office_ids)
    return _dated(offices, line.span, wording)


def _counter(counter: Counter, sides: _Sides, wording: Wording) -> Sequence[str]:
    days = wording.all_of(wording.word("weekday", _DAYS[day - 1]) for day in counter.weekdays)
    opened = {"opens": f"{counter.opens:%H:%M}", "closes": f"{counter.closes:%H:%M}"}
    return (
        sides.name(counter.office_id, wording.language),
        _postcodes(counter.ranges, wording),
        wording.sentence("counter_open", days=days, **opened),
        _span(counter.span, wording),
    )


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _team(team: Team, wording: Wording) -> str:
    track, text = wording.word("track", team.track), team.name[wording.language]
    said = wording.sentence("directory_change.team_of", text=text, track=track)
    return wording.sentence("directory_change.shared", team=said) if team.shared else said


def _territory(territory: Territory, wording: Wording) -> Sequence[str]:
    language = wording.word("procedure_language", territory.language)
    honours = wording.all_of(
        wording.word("procedure_language", one) for one in sorted(territory.honours)
    )
    return (
        _postcodes(territory.ranges, wording),
        wording.sentence("directory_change.language", language=language),
        wording.sentence("directory_change.honours", languages=honours),
    )


def _transfer(transfer: Transfer, wording: Wording) -> str:
    said = _postcodes(_ranges(transfer.postcodes), wording)
    return _dated(said, transfer.span, wording)


def _shared_and_own(
    postcodes: Collection[int], one: EntryChange, wording: Wording
) -> Sequence[str]:
    """Return two lines: the postcodes that both versions have, and those that only this one has."""
    both = frozenset(one.before or ()) & frozenset(one.after or ())
    parts = (both, frozenset(postcodes) - both)
    return tuple(_postcodes(_ranges(part), wording) for part in parts if part)


def _postcodes(ranges: Sequence[_Range], wording: Wording) -> str:
    codes = ", ".join(str(a) if a == b else f"{a}\u2013{b}" for a, b in ranges)
    single = len(ranges) == 1 and ranges[0][0] == ranges[0][1]
    name = "postcode" if single else "postcodes"
    return wording.sentence(f"directory_change.{name}", codes=codes)


def _ranges(postcodes: Iterable[int]) -> list[_Range]:
    """Return postcodes as ranges of those that follow each other."""
    found: list[_Range] = []
    for code in sorted(postcodes):
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


def _province(province: str, wording: Wording) -> str:
    known = wording.has_word("province", province)
    return wording.word("province", province) if known else province


def _dated(what: str, span: Span, wording: Wording) -> str:
    if span == Span():
        return what
    return wording.sentence("directory_change.dated", what=what, when=_span(span, wording))


def _span(span: Span, wording: Wording) -> str:
    """Return a period; the last day is the one before its end."""
    first = wording.formats.day(span.since, wording.language)
    last = ""
    if span.until != date.max:
        last = wording.formats.day(span.until - timedelta(days=1), wording.language)
    if span.since == date.min:
        name = "until" if last else "always"
    else:
        name = "between" if last else "since"
    return wording.sentence(f"directory_change.{name}", first=first, last=last)
