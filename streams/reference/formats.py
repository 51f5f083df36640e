"""Write dates and lists in French, Dutch, German and English as in Belgium, with Babel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from babel.lists import format_list
from babel.numbers import format_decimal

_LOCALES: Final = {
    "fr": Locale("fr", "BE"),
    "nl": Locale("nl", "BE"),
    "de": Locale("de", "BE"),
    "en": Locale("en", "GB"),
}


class BabelFormats:
    """The formats of the Unicode CLDR, which Babel brings. Pure, as ``Formats`` requires."""

    def day(self, day: date, language: str) -> str:
        """Return a day with its month in letters."""
        text = format_date(day, "long", locale=_LOCALES[language])
        # CLDR has no ordinal for the first of a month, which French requires.
        return text.replace("1 ", "1er ", 1) if language == "fr" and day.day == 1 else text

    def month(self, day: date, language: str) -> str:
        """Return the month of a day, in letters, and its year."""
        return format_skeleton("yMMMM", day, locale=_LOCALES[language])

    def short_month(self, day: date, language: str) -> str:
        """Return the month of a day in few letters, without its year."""
        return format_date(day, "LLL", locale=_LOCALES[language])

    def number(self, number: int, language: str) -> str:
        """Return a whole number with its thousands apart; the minus sign is U+2212."""
        return format_decimal(number, locale=_LOCALES[language]).replace("-", "\u2212")

    def time(self, local: datetime, language: str) -> str:
        """Return the hour and minute of a local time."""
        return format_time(local.time(), "HH:mm", locale=_LOCALES[language])

    def all_of(self, parts: Sequence[str], language: str) -> str:
        """Return ``a, b and c``."""
        return format_list(parts, locale=_LOCALES[language])

    def any_of(self, parts: Sequence[str], language: str) -> str:
        """Return ``a, b or c``."""
        return format_list(parts, style="or", locale=_LOCALES[language])
