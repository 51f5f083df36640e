"""Load the reference data: policy, office directory, table of producers, working days of Belgium.

A process loads it once at start and passes it to the domain, which never opens a file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import holidays

from schemas.producers import Producers, load_producers
from streams.domain.clocks import Calendar
from streams.domain.decision import Decision
from streams.domain.directory.load import load_directory
from streams.domain.directory.model import Directory
from streams.domain.explain.wording import Wording
from streams.domain.policy.load import PolicyError, load_policy
from streams.domain.policy.rules import Policy
from streams.domain.policy.versions import Policies, digest_of
from streams.domain.tables import Directories, Tables

ZONE: Final = "Europe/Brussels"
HERE = Path(__file__).parent
_FIRST_YEAR, _LAST_YEAR = 1989, 2101
"""One year beyond the range of times in events, so that counting days never leaves the calendar."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Everything that a decision depends on, apart from the case and the clock."""

    policy: Policy
    """The newest version of the policy."""
    directory: Directory
    """The newest version of the office directory."""
    calendar: Calendar
    producers: Producers
    earlier_policies: tuple[Policy, ...] = ()
    earlier_directories: tuple[Directory, ...] = ()
    publication: int = 0
    """How much had been published when this was read from the database."""
    moved: bool = False
    """Whether an official has moved a case to another version."""
    tables: Tables = field(init=False, repr=False, compare=False)
    """What the domain decides with: all versions of the policy and the directory."""
    digest: str = field(init=False, repr=False, compare=False)
    """One digest of all tables in all versions; it changes when one of them does."""
    _digests: Callable[[str, str], str] = field(init=False, repr=False, compare=False)
    """Digests of a decision by those of its policy and its directory. Cached: there are few."""

    def __post_init__(self) -> None:
        tables = Tables(
            Policies((*self.earlier_policies, self.policy)),
            Directories((*self.earlier_directories, self.directory)),
            self.calendar,
        )
        digests = [tables.policies.digest, tables.directories.digest, self.calendar.digest]
        digests.append(self.producers.digest)
        object.__setattr__(self, "tables", tables)
        object.__setattr__(self, "_digests", cache(self._digests_of))
        object.__setattr__(self, "digest", digest_of([*digests, str(self.publication)])[:32])

    @classmethod
    def of(
        cls,
        policies: Iterable[Policy],
        directories: Iterable[Directory],
        calendar: Calendar,
        producers: Producers,
        *,
        publication: int = 0,
        moved: bool = False,
    ) -> Reference:
        """Return the reference data with several versions of the policy and the directory."""
        *old_policies, policy = Policies(policies).versions
        *old_directories, directory = Directories(directories).versions
        return cls(
            policy,
            directory,
            calendar,
            producers,
            tuple(old_policies),
            tuple(old_directories),
            publication,
            moved,
        )

    def check_in_force(self, now: datetime) -> None:
        """Refuse a policy whose first day is still to come, if there is no other version.

        Raises:
            PolicyError: no version of the policy is in force at ``now``.
        """
        first = self.tables.policies.versions[0]
        if self.calendar.local_date(now) < first.valid_from:
            raise PolicyError(
                [f"version {first.version} is valid from {first.valid_from}, not before"]
            )

    async def current(self, conn: object, number: int | None = None) -> Reference:  # noqa: ARG002
        """Return itself: these tables are in force whatever was published."""
        return self

    @property
    def longest_pause_days(self) -> int:
        """Return the longest pause that a version of the policy allows."""
        return max(one.terms.longest_pause_days for one in self.tables.policies.versions)

    @property
    def version_digests(self) -> tuple[str, ...]:
        """Return the digests of every version of every table."""
        tables = self.tables
        digests = [one.digest for one in tables.policies.versions]
        digests += [one.digest for one in tables.directories.versions]
        return *digests, self.calendar.digest, self.producers.digest

    def digest_for(self, decision: Decision) -> str:
        """Return the digests of what a decision rests on, 32 digits each, and that of all tables.

        In this order: the policy version that applied to the case, the directory in force, the
        calendar, the producers, and everything that was loaded.
        """
        return self._digests(decision.policy.digest, decision.directory.digest)

    def _digests_of(self, policy: str, directory: str) -> str:
        used = (policy, directory, self.calendar.digest, self.producers.digest)
        return "".join([one[:32] for one in used]) + self.digest

    def wording(self, language: str) -> Wording:
        """Return the texts of a language, with those of this policy and directory."""
        # Imported here: a worker writes no sentences, and Babel takes time and memory to load.
        from streams.reference.formats import BabelFormats

        return Wording(
            words(),
            BabelFormats(),
            self.tables.policies,
            self.tables.directories,
            self.calendar,
            language,
        )


def load(
    policy_file: Path | None = None,
    directory_file: Path | None = None,
    producers_file: Path | None = None,
) -> Reference:
    """Read and lint the reference data. A given file replaces the one in this folder.

    Raises:
        PolicyError, DirectoryError, ProducersError: the data can't be used; the error lists every
            fault.
        OSError: a file can't be read.
    """
    return Reference(
        load_policy((policy_file or HERE / "policy.toml").read_text()),
        load_directory((directory_file or HERE / "directory.toml").read_text()),
        belgian_calendar(),
        producers(producers_file),
    )


def producers(file: Path | None = None) -> Producers:
    """Read and lint the table of producers, for processes that decide nothing.

    Raises:
        ProducersError: the table can't be used; the error lists every fault.
        OSError: the file can't be read.
    """
    return load_producers((file or HERE / "producers.toml").read_text())


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
