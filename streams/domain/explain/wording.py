"""Write one language: its words for codes, its sentences, its dates and its lists.

The texts and the formats are handed in, so this package reads no file and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from streams.domain.clocks import Calendar
from streams.domain.policy.rules import Policy
from streams.domain.policy.versions import Policies
from streams.domain.tables import Directories

Words = Mapping[str, Any]
"""Texts by kind, code and language; a sentence has no code. See ``streams/reference``."""


class Formats(Protocol):
    """Dates and lists as a language writes them. Pure: the same input gives the same text."""

    def day(self, day: date, language: str) -> str:
        """Return a day with its month in letters: ``5 March 2026``."""
        ...

    def month(self, day: date, language: str) -> str:
        """Return a month with its year: ``March 2026``."""
        ...

    def short_month(self, day: date, language: str) -> str:
        """Return a month in few letters: ``Mar``."""
        ...

    def number(self, number: int, language: str) -> str:
        """Return a whole number with its thousands apart: ``12,500``."""
        ...

    def time(self, local: datetime, language: str) -> str:
        """Return the hour and minute of a local time."""
        ...

    def all_of(self, parts: Sequence[str], language: str) -> str:
        """Return ``a, b and c``."""
        ...

    def any_of(self, parts: Sequence[str], language: str) -> str:
        """Return ``a, b or c``."""
        ...


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of one language, with the policies and the directories that supply more of them.

    ``language`` is ``fr``, ``nl``, ``de`` or ``en``. Days are Belgian calendar days.
    """

    words: Words
    formats: Formats
    policies: Policies
    directories: Directories
    calendar: Calendar
    language: str

    @property
    def policy(self) -> Policy:
        """The newest version of the policy."""
        return self.policies.newest

    def sentence(self, name: str, **values: object) -> str:
        """Return a sentence with its places filled in; ``name`` may be dotted."""
        entry: Any = self.words
        for part in name.split("."):
            entry = entry[part]
        template: str = entry[self.language]
        return template.format(**values)

    def word(self, kind: str, code: str) -> str:
        """Return the word for a code.

        Raises:
            KeyError: the code has no word.
        """
        text: str = self.words[kind][code][self.language]
        return text

    def has_word(self, kind: str, code: str) -> bool:
        """Return whether a code has a word. A custom policy or directory may add codes."""
        return code in self.words[kind]

    def day(self, instant: datetime) -> str:
        """Return the day of an instant."""
        return self.formats.day(self.calendar.local_date(instant), self.language)

    def last_day(self, end: datetime) -> str:
        """Return the last day of a period that ends at ``end``, often at midnight."""
        return self.day(end - timedelta(microseconds=1))

    def moment(self, instant: datetime) -> str:
        """Return the day and the time of an instant."""
        time = self.formats.time(self.calendar.local(instant), self.language)
        return self.sentence("moment", day=self.day(instant), time=time)

    def month(self, day: date) -> str:
        """Return the month of a day, and its year."""
        return self.formats.month(day, self.language)

    def number(self, number: int) -> str:
        """Return a whole number with its thousands apart."""
        return self.formats.number(number, self.language)

    def signed(self, number: int) -> str:
        """Return a change with its sign; no change has none."""
        return f"+{self.number(number)}" if number > 0 else self.number(number)

    def all_of(self, parts: Iterable[str]) -> str:
        """Return a list joined by *and*."""
        return self.formats.all_of(list(parts), self.language)

    def any_of(self, parts: Iterable[str]) -> str:
        """Return a list joined by *or*."""
        return self.formats.any_of(list(parts), self.language)

    def office(self, office_id: str) -> str:
        """Return the name of an office or team, by the newest version that has it; else its id."""
        for version in reversed(self.directories.versions):
            if version.lists(office_id):
                return version.name(office_id, self.language)
        return office_id

    def rule(self, rule_id: str) -> str | None:
        """Return what a rule asks for, by the newest version that has it; None if none has."""
        for version in reversed(self.policies.versions):
            rule = version.rule(rule_id)
            if rule is not None:
                return rule.text[self.language]
        return None
