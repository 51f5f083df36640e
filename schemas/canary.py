"""The canary's own namespace of cases: real to the pipeline, and no person's.

One case a day, with one order after another, each announced like any other. Whoever
counts cases or acts on announcements leaves out what starts with the prefix.
"""

from __future__ import annotations

from datetime import date
from typing import Final

PREFIX: Final = "canary-"
"""Case ids that start so are the canary's; no producer may use them for a person."""
SOURCE: Final = "/icam/canary"
"""Its CloudEvents ``source``."""


def is_canary(case_id: str) -> bool:
    """Whether a case is the canary's."""
    return case_id.startswith(PREFIX)


def case_id(day: date) -> str:
    """Return the canary's case of a day."""
    return f"{PREFIX}{day:%Y%m%d}"
