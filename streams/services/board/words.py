"""Words of the live page in French, Dutch, German and English."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Final

from streams import reference
from streams.services.web.words import by_language

_WORDS_FILE: Final = Path(__file__).with_name("words.toml")


@lru_cache(maxsize=1)
def words() -> dict[str, dict[str, str]]:
    """Return all words: language, then dotted name, to text."""
    shared = {name: reference.words()[name] for name in ("track", "value")}
    return by_language({**shared, **tomllib.loads(_WORDS_FILE.read_text())})
