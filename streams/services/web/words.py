"""Words of a page in French, Dutch, German and English, and choice of the language."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from aiohttp import web

from streams.domain.policy.rules import LANGUAGES

Words: TypeAlias = Mapping[str, Mapping[str, str]]
"""All words of a page: language, then dotted name, to text."""

_DEFAULT: Final = "en"
_WORD: Final = re.compile(r'(<[^<>]*\bdata-word="([a-z0-9_.]+)"[^<>]*>)')
_LABEL: Final = re.compile(r'\bdata-label="([a-z0-9_.]+)"')


def by_language(table: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the words of a table by language, under dotted names."""
    entries = list(_flat(table))
    return {language: {name: texts[language] for name, texts in entries} for language in LANGUAGES}


def fill_in(template: str, words: Words, language: str) -> str:
    """Fill in ``data-word`` elements and ``data-label`` attributes in one language."""
    texts = {name: html.escape(text) for name, text in words[language].items()}
    page = _WORD.sub(lambda match: match[1] + texts[match[2]], template)
    page = _LABEL.sub(lambda match: f'{match[0]} aria-label="{texts[match[1]]}"', page)
    page = page.replace('<html lang="en"', f'<html lang="{language}"', 1)
    return page.replace(f'<option value="{language}"', f'<option value="{language}" selected', 1)


def language_of(request: web.Request) -> str:
    """Return the language that a request asks for, in its address or by its header."""
    return choose_language(request.query.get("lang"), request.headers.get("Accept-Language"))


def choose_language(requested: str | None, accept: str | None) -> str:
    """Return the requested language, else the best acceptable one, else English.

    ``accept`` is an Accept-Language header; invalid parts of it are ignored.
    """
    if requested in LANGUAGES:
        return requested
    ranked = sorted(_accepted(accept or ""), key=lambda pair: -pair[0])
    return next((lang for _, lang in ranked if lang in LANGUAGES), _DEFAULT)


def _accepted(header: str) -> Iterator[tuple[float, str]]:
    for part in header.split(",")[:20]:
        tag, _, quality = part.partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            continue
        if weight > 0:
            yield weight, tag.strip().lower().partition("-")[0]


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, str]]]:
    for name, entry in table.items():
        if isinstance(next(iter(entry.values())), str):
            yield prefix + name, entry
        else:
            yield from _flat(entry, f"{prefix}{name}.")
