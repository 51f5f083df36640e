"""The reserved case ids of the canary, whose synthetic events test the pipeline end to end.

The pipeline handles a canary case like any other. There is one per day; it receives one order
after another, and each is announced. Code that counts cases or acts on announcements must exclude
case ids that start with ``PREFIX``.
"""

from __future__ import annotations

from datetime import date
from typing import Final

PREFIX: Final = "canary-"
"""Prefix of the canary's case ids. No producer may use it for a person's case."""
SOURCE: Final = "/icam/canary"
"""CloudEvents ``source`` of the canary's events."""


def is_canary(case_id: str) -> bool:
    """Return whether a case belongs to the canary."""
    return case_id.startswith(PREFIX)


def case_id(day: date) -> str:
    """Return the canary's case id for a day."""
    return f"{PREFIX}{day:%Y%m%d}"
