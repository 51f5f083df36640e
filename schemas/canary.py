"""The reserved names of the canary, whose synthetic events test the pipeline end to end.

The pipeline handles a canary case like any other. There is one per day; it receives one order
after another, and each is announced. Code that counts cases or acts on announcements must exclude
case ids that start with ``PREFIX``.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

PREFIX: Final = "canary-"
"""Prefix of the canary's case ids. The codec refuses it from any other source."""
SOURCE: Final = "/icam/canary"
"""CloudEvents ``source`` of the canary's events. The codec refuses it on any other case."""
_TOPIC_SUFFIX: Final = ".canary"
"""End of the canary's topics. The codec refuses it for any other source."""
_CASE_ID: Final = re.compile(rf"{PREFIX}[0-9]{{8}}")


def is_canary(case_id: str) -> bool:
    """Return whether a case belongs to the canary."""
    return case_id.startswith(PREFIX)


def is_case_id(case_id: str) -> bool:
    """Return whether a case id has the form of ``case_id``."""
    return _CASE_ID.fullmatch(case_id) is not None


def case_id(day: date) -> str:
    """Return the canary's case id for a day."""
    return f"{PREFIX}{day:%Y%m%d}"


def topic(type_: str) -> str:
    """Return the topic of the canary's events of a type."""
    return type_ + _TOPIC_SUFFIX


def is_topic(name: str) -> bool:
    """Return whether a topic belongs to the canary."""
    return name.endswith(_TOPIC_SUFFIX)
