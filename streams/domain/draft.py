"""The tables as they would be with a draft of the policy or of the directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final, TypeVar, final

from streams.domain.directory.model import Directory
from streams.domain.policy.rules import Policy
from streams.domain.policy.versions import Policies
from streams.domain.tables import Directories, Tables

Version = TypeVar("Version", bound=Policy | Directory)


@final
class Tried:
    """The tables in force and those with a draft.

    A draft is tried as if it had been in force instead of the version of ``day``: it takes the
    first day and the transition of that version, or else it would change nothing before its own
    first day. With ``as_dated`` it keeps its own and replaces only a version of the same first day.
    """

    before: Final[Tables]
    after: Final[Tables]
    policy_before: Final[Policy]
    policy: Final[Policy]
    directory_before: Final[Directory]
    directory: Final[Directory]
    replaced: Final[Mapping[str, str]]
    """Digest of the version of the policy that the draft replaces, and that of the draft."""

    def __init__(
        self,
        tables: Tables,
        day: date,
        policy: Policy | None = None,
        directory: Directory | None = None,
        *,
        as_dated: bool = False,
    ) -> None:
        self.before = tables
        self.policy_before = tables.policies.on(day)
        self.directory_before = tables.directories.on(day)
        policies, directories = tables.policies.versions, tables.directories.versions
        replaced: dict[str, str] = {}
        if policy is not None and not as_dated:
            of = self.policy_before
            dated = replace(policy, valid_from=of.valid_from, transition=of.transition)
            policies = _instead(policies, of, dated)
            replaced[of.digest] = policy.digest
        elif policy is not None:
            gone = [one.digest for one in policies if one.valid_from == policy.valid_from]
            replaced = dict.fromkeys(gone, policy.digest)
            policies = _added(policies, policy)
        if directory is not None and not as_dated:
            place = self.directory_before
            dated_place = replace(directory, valid_from=place.valid_from)
            directories = _instead(directories, place, dated_place)
        elif directory is not None:
            directories = _added(directories, directory)
        self.policy = policy or self.policy_before
        self.directory = directory or self.directory_before
        self.replaced = replaced
        self.after = Tables(Policies(policies), Directories(directories), tables.calendar)


def _instead(versions: Sequence[Version], version: Version, draft: Version) -> tuple[Version, ...]:
    return tuple(draft if one is version else one for one in versions)


def _added(versions: Sequence[Version], draft: Version) -> tuple[Version, ...]:
    return (*[one for one in versions if one.valid_from != draft.valid_from], draft)
