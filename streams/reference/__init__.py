"""Load the reference data: the policy, the office directory and the working days of Belgium.

A process loads it once at start and passes it to the domain, which never opens a file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import holidays

from streams.domain.clocks import Calendar
from streams.domain.directory.load import load_directory
from streams.domain.directory.model import Directory
from streams.domain.explain.wording import Wording
from streams.domain.policy.load import PolicyError, load_policy
from streams.domain.policy.rules import Policy

ZONE: Final = "Europe/Brussels"
HERE = Path(__file__).parent
_FIRST_YEAR, _LAST_YEAR = 1989, 2101
"""One year beyond the range of times in events, so that counting days never leaves the calendar."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Everything that a decision depends on, apart from the case and the clock."""

    policy: Policy
    directory: Directory
    calendar: Calendar
    digest: str = field(init=False, repr=False, compare=False)
    """One digest of policy, directory and calendar; it changes when one of them does."""

    def __post_init__(self) -> None:
        parts = (self.policy.digest, self.directory.digest, self.calendar.digest)
        object.__setattr__(self, "digest", "".join(digest[:32] for digest in parts))

    def wording(self, language: str) -> Wording:
        """Return the texts of a language, with those of this policy and directory."""
        # Imported here: a worker writes no sentences, and Babel takes time and memory to load.
        from streams.reference.formats import BabelFormats

        return Wording(
            words(), BabelFormats(), self.policy, self.directory, self.calendar, language
        )

    def check_in_force(self, now: datetime) -> None:
        """Refuse a policy whose first day is still to come.

        Raises:
            PolicyError: the policy is not yet in force at ``now``.
        """
        first = self.policy.valid_from
        if self.calendar.local_date(now) < first:
            raise PolicyError([f"version {self.policy.version} is valid from {first}, not before"])


def load(policy_file: Path | None = None, directory_file: Path | None = None) -> Reference:
    """Read and lint the reference data. A given file replaces the one in this folder.

    Raises:
        PolicyError, DirectoryError: the data can't be used; the error lists every fault.
        OSError: a file can't be read.
    """
    return Reference(
        load_policy((policy_file or HERE / "policy.toml").read_text()),
        load_directory((directory_file or HERE / "directory.toml").read_text()),
        belgian_calendar(),
    )


@lru_cache(maxsize=1)
def words() -> Mapping[str, Any]:
    """Return the words for codes and the sentences, in French, Dutch, German and English."""
    texts = (tomllib.loads((HERE / name).read_text()) for name in ("words.toml", "sentences.toml"))
    return {kind: entries for table in texts for kind, entries in table.items()}


@lru_cache(maxsize=1)
def belgian_calendar() -> Calendar:
    """Return the working days of Belgium, without its public holidays, in Brussels time."""
    years = range(_FIRST_YEAR, _LAST_YEAR + 1)
    days = holidays.country_holidays("BE", years=years)
    version = f"holidays {metadata.version('holidays')}"
    return Calendar.of(ZoneInfo(ZONE), days, _FIRST_YEAR, _LAST_YEAR, version)
