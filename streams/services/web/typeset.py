"""Write text into a page: nothing hidden, escaped, and with the spaces that must not break."""

from __future__ import annotations

import re
from html import escape
from typing import Final

from schemas.visible import visible


def in_html(text: str, language: str) -> str:
    """Return a text as HTML. It cannot become markup, and no character of it is hidden."""
    return escape(shown(text, language))


def shown(text: str, language: str) -> str:
    """Return a text as a page shows it: no character of it is hidden or breaks a line wrongly."""
    return _typeset(visible(text), language)


_NUMBER_AND_WORD: Final = re.compile(r"(?<=\d) (?=[^\W\d])")


def _typeset(text: str, language: str) -> str:
    """Return a text with spaces that don't break: in dates, and in French before its signs."""
    if language == "fr":
        text = re.sub(r" (?=[:»])", "\u00a0", text)
        text = re.sub(r" (?=[;?!])", "\u202f", text)
    return _NUMBER_AND_WORD.sub("\u00a0", text)
