"""Versions of the policy side by side, and those that decide about one case.

A case keeps the version in force on the day on which its order was notified. A later version
applies to it from a known instant on if the version's transition says so, or if an official moved
the case.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Final, NamedTuple, final

from streams.domain.clocks import Calendar
from streams.domain.policy.rules import Policy, Rule


class Move(NamedTuple):
    """An official's move of a case to the version with this digest."""

    digest: str
    at: datetime


class Applied(NamedTuple):
    """A version that decides about a case, and since when."""

    policy: Policy
    since: datetime | None
    """None for the version that the case began with."""


class PolicyLackingError(Exception):
    """A case was moved to a version that is not among the versions loaded."""


@final
class Policies:
    """All versions, in the order of their first days."""

    versions: Final[tuple[Policy, ...]]
    newest: Final[Policy]
    digest: Final[str]
    """That of the only version, or one over the digests of all."""
    _first_days: Final[list[date]]

    def __init__(self, versions: Iterable[Policy]) -> None:
        ordered = tuple(sorted(versions, key=lambda one: one.valid_from))
        self.versions = ordered
        self.newest = ordered[-1]
        self.digest = digest_of([one.digest for one in ordered])
        self._first_days = [one.valid_from for one in ordered]

    def on(self, day: date) -> Policy:
        """Return the version in force on a day; before the first version, the first."""
        return self.versions[max(bisect_right(self._first_days, day) - 1, 0)]

    def with_digest(self, digest: str) -> Policy:
        """Return the version with a digest.

        Raises:
            PolicyLackingError: no version has it.
        """
        for version in self.versions:
            if version.digest == digest:
                return version
        raise PolicyLackingError(
            f"a case was moved to policy {digest[:12]}, which is not loaded here: publish it"
        )

    def rule(self, digest: str, rule_id: str) -> Rule | None:
        """Return a rule of the version with a digest, or None.

        Raises:
            PolicyLackingError: no version has the digest.
        """
        return self.with_digest(digest).rule(rule_id)

    def applied(
        self, notified_at: datetime, calendar: Calendar, moves: Sequence[Move], now: datetime
    ) -> tuple[tuple[Applied, ...], datetime | None]:
        """Return the versions that decide about a case, oldest first, and the next change.

        ``notified_at`` is when its order was notified. Transitions lead to newer versions only,
        moves to any. Moves from before the order was notified were about an earlier order.

        Raises:
            PolicyLackingError: the case was moved to a version that is not loaded.
        """
        current = self.on(calendar.local_date(notified_at))
        found, next_change = [Applied(current, None)], None
        changes: list[tuple[datetime, bool, Policy]] = []
        for version in self.versions:
            transition = version.transition
            if transition is not None and version.valid_from > current.valid_from:
                changes.append((calendar.start_of(transition.open_cases_from), False, version))
        changes += [
            (move.at, True, self.with_digest(move.digest))
            for move in moves
            if move.at > notified_at
        ]
        for at, moved, version in sorted(changes, key=_by_time):
            newer = version.valid_from > current.valid_from
            if version is current or not (moved or newer):
                continue
            if at > now:
                next_change = at
                break
            current = version
            found.append(Applied(version, at))
        return tuple(found), next_change


def _by_time(change: tuple[datetime, bool, Policy]) -> tuple[datetime, bool, date]:
    at, moved, version = change
    return at, moved, version.valid_from


def digest_of(digests: Sequence[str]) -> str:
    """Return the only digest, or the SHA-256 of several, hexadecimal, in their order."""
    if len(digests) == 1:
        return digests[0]
    return sha256("".join(digests).encode()).hexdigest()
