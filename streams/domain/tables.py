"""The tables that a decision rests on, apart from the case and the clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final, final

from streams.domain.clocks import Calendar
from streams.domain.directory.model import Directory
from streams.domain.policy.versions import Policies, digest_of


@final
class Directories:
    """All versions of the office directory, in the order of their first days."""

    versions: Final[tuple[Directory, ...]]
    newest: Final[Directory]
    digest: Final[str]
    """That of the only version, or one over the digests of all."""
    _first_days: Final[list[date]]

    def __init__(self, versions: Iterable[Directory]) -> None:
        ordered = tuple(sorted(versions, key=lambda one: one.valid_from))
        self.versions = ordered
        self.newest = ordered[-1]
        self.digest = digest_of([one.digest for one in ordered])
        self._first_days = [one.valid_from for one in ordered]

    def on(self, day: date) -> Directory:
        """Return the version in force on a day; before the first version, the first."""
        return self.versions[max(bisect_right(self._first_days, day) - 1, 0)]

    def first_days_after(self, day: date) -> Sequence[date]:
        """Return the days after ``day`` on which another version comes into force, in order."""
        return self._first_days[max(bisect_right(self._first_days, day), 1) :]


@final
class Tables:
    """Versions of the policy and of the directory, and the calendar."""

    policies: Final[Policies]
    directories: Final[Directories]
    calendar: Final[Calendar]

    def __init__(self, policies: Policies, directories: Directories, calendar: Calendar) -> None:
        self.policies = policies
        self.directories = directories
        self.calendar = calendar

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tables):
            return NotImplemented
        return (self.policies.digest, self.directories.digest, self.calendar.digest) == (
            other.policies.digest,
            other.directories.digest,
            other.calendar.digest,
        )

    def __hash__(self) -> int:
        return hash((self.policies.digest, self.directories.digest))

    def __repr__(self) -> str:
        return f"Tables({self.policies.versions}, {self.directories.versions})"

    def directory_at(self, now: datetime) -> Directory:
        """Return the directory in force at an instant."""
        if len(self.directories.versions) == 1:
            return self.directories.newest
        return self.directories.on(self.calendar.local_date(now))
