"""The table of producers of the tests, in which any source that starts with a slash may speak."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from streams import reference

FILE: Final = Path(__file__).with_suffix(".toml")
PRODUCERS: Final = reference.producers(FILE)
TOPICS: Final = PRODUCERS.topics
"""The input topics: those of the shipped table too."""
