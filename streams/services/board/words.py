"""The page's words in French, Dutch, German and English, and which of them a reader gets."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from streams import reference
from streams.domain.policy.rules import LANGUAGES

_HERE: Final = Path(__file__).with_name("words.toml")
_DEFAULT: Final = "en"


@lru_cache(maxsize=1)
def words() -> dict[str, dict[str, str]]:
    """Return every word by language, then by its dotted name."""
    shared = {name: reference.words()[name] for name in ("track", "value")}
    entries = list(_flat({**shared, **tomllib.loads(_HERE.read_text())}))
    return {language: {name: texts[language] for name, texts in entries} for language in LANGUAGES}


def chosen(wanted: str | None, accept: str | None) -> str:
    """Return the language asked for, else the first acceptable one, else English.

    ``accept`` is an Accept-Language header; what can't be read in it is passed over.
    """
    if wanted in LANGUAGES:
        return wanted
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
    for name, found in table.items():
        if isinstance(next(iter(found.values())), str):
            yield prefix + name, found
        else:
            yield from _flat(found, f"{prefix}{name}.")
