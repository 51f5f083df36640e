"""Words of the page in French, Dutch, German and English, and choice of the language."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from streams import reference
from streams.domain.policy.rules import LANGUAGES

_WORDS_FILE: Final = Path(__file__).with_name("words.toml")
_DEFAULT: Final = "en"


@lru_cache(maxsize=1)
def words() -> dict[str, dict[str, str]]:
    """Return all words: language, then dotted name, to text."""
    shared = {name: reference.words()[name] for name in ("track", "value")}
    entries = list(_flat({**shared, **tomllib.loads(_WORDS_FILE.read_text())}))
    return {language: {name: texts[language] for name, texts in entries} for language in LANGUAGES}


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
