"""Publish versions of the policy and of the directory, and move open cases to a version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from schemas.outcomes import (
    CaseEnded,
    CaseReopened,
    CaseRouted,
    EscalationRaised,
    EscalationWithdrawn,
    Outcome,
)
from streams.casework import unit_of_work
from streams.casework.in_force import InForce, published_reference
from streams.casework.projection import NO_LEDGER, project
from streams.domain.directory.load import DirectoryError, load_directory
from streams.domain.directory.model import Directory
from streams.domain.policy.lint import lint_together
from streams.domain.policy.load import PolicyError, load_policy
from streams.domain.policy.rules import Policy
from streams.domain.policy.versions import Move
from streams.reference import Reference
from streams.store import (
    cases,
    clock,
    dead_letters,
    escalations,
    events,
    publications,
    reference_tables,
)
from streams.store.pool import Connection
from streams.store.publication_errors import VersionUnknown

_BATCH = 500
"""Cases that are read and compared at a time."""


async def publish_policy(
    conn: Connection, source: InForce, text: str, *, reason: str, who: str, dry_run: bool
) -> Policy:
    """Lint a version together with those published, and publish it; return it.

    The first time, the version that was in force until then is published with it. A version that
    lies ahead replaces one of the same first day. With ``dry_run`` nothing is published.

    Raises:
        PolicyError: the version, or all of them together, have faults.
        NotAhead: it would come into force today or before.
    """
    version = load_policy(text)
    async with conn.transaction():
        now = await clock.now(conn)
        reference = await source.current(conn)
        kept = [
            one
            for one in reference.tables.policies.versions
            if one.valid_from != version.valid_from or one.digest == version.digest
        ]
        if version.digest in [one.digest for one in kept] and reference.publication:
            return version
        today = reference.calendar.local_date(now)
        faults = lint_together([*_without(kept, version), version], today)
        if faults:
            raise PolicyError(faults)
        if not dry_run:
            await reference_tables.record(conn, reference.tables, reference.producers)
            if not await publications.has_any(conn, publications.POLICY):
                for one in _without(kept, version):
                    await _publish(conn, publications.POLICY, one, "in force until now", who)
            await reference_tables.record_one(
                conn, version.digest, "policy", version.version, version.body
            )
            await _publish(conn, publications.POLICY, version, reason, who)
    return version


def _without(versions: Sequence[Policy], version: Policy) -> list[Policy]:
    return [one for one in versions if one.digest != version.digest]


async def publish_directory(
    conn: Connection, source: InForce, text: str, *, reason: str, who: str, dry_run: bool
) -> Directory:
    """Publish a version of the directory; return it. As for a policy.

    Raises:
        DirectoryError: the version has faults, or its name is taken.
        NotAhead: it would come into force today or before.
    """
    version = load_directory(text)
    async with conn.transaction():
        reference = await source.current(conn)
        versions = reference.tables.directories.versions
        kept = [one for one in versions if one.valid_from != version.valid_from]
        if version.digest in [one.digest for one in versions] and reference.publication:
            return version
        if version.version in [one.version for one in kept]:
            raise DirectoryError([f"version {version.version} is there already: name another one"])
        if not dry_run:
            await reference_tables.record(conn, reference.tables, reference.producers)
            if not await publications.has_any(conn, publications.DIRECTORY):
                for one in kept:
                    await _publish(conn, publications.DIRECTORY, one, "in force until now", who)
            await reference_tables.record_one(
                conn, version.digest, "directory", version.version, version.body
            )
            await _publish(conn, publications.DIRECTORY, version, reason, who)
    return version


async def withdraw_policy(
    conn: Connection, source: InForce, version: str, *, reason: str, who: str
) -> Policy:
    """Withdraw a version of the policy, for a mistake in it: it decides about no case any more.

    Its escalations are withdrawn unless another version proposes the same. Returns the version in
    force afterwards.

    Raises:
        VersionUnknown: no version has this name, or no other one would be in force.
    """
    async with conn.transaction():
        await publications.expect_author(conn)
        reference, now = await source.current(conn), await clock.now(conn)
        today = reference.calendar.local_date(now)
        versions = reference.tables.policies.versions
        found = next((one for one in versions if one.version == version), None)
        if found is None or not await publications.has_any(conn, publications.POLICY):
            names = ", ".join(one.version for one in versions)
            raise VersionUnknown(f"no version {version} was published; in force are {names}")
        left = [one for one in versions if one is not found and one.valid_from <= today]
        if not left:
            raise VersionUnknown(f"without {version} no version would be in force: publish one")
        await publications.withdraw(conn, found.digest, reason=reason, who=who)
    return left[-1]


async def publish_first(conn: Connection, given: Reference, *, who: str) -> list[str]:
    """Publish the policy and the directory in use, if nothing was published.

    Those by which cases were decided last, or else the given ones. Returns kind and version of
    what was published.

    Raises:
        VersionUnreadable: the tables in use were written for other software.
    """
    async with conn.transaction():
        if await publications.count(conn):
            return []
        used = await publications.used_last(conn)
        found = published_reference(given, used, 0, moved=False)
        await reference_tables.record(conn, found.tables, found.producers)
        reason = "in use when the tables were migrated"
        for policy in found.tables.policies.versions:
            await _publish(conn, publications.POLICY, policy, reason, who)
        for directory in found.tables.directories.versions:
            await _publish(conn, publications.DIRECTORY, directory, reason, who)
    return [f"policy {found.policy.version}", f"directory {found.directory.version}"]


async def _publish(
    conn: Connection, kind: str, version: Policy | Directory, reason: str, who: str
) -> None:
    await publications.publish(
        conn, kind, version.digest, version.valid_from, reason=reason, who=who
    )


@dataclass(slots=True)
class Moved:
    """What a move of open cases to a version does at once."""

    version: str
    cases: list[str] = field(default_factory=list)
    """Cases that another version applies to, in order."""
    by_version: Counter[str] = field(default_factory=Counter)
    """How many of them each version applies to now."""
    raised: Counter[str] = field(default_factory=Counter)
    """Escalations that are raised at once, by rule."""
    withdrawn: Counter[str] = field(default_factory=Counter)
    """Escalations that are withdrawn at once, by rule."""
    number: int | None = None
    """Number of the move; None if it was only tried."""


async def move_open_cases(
    conn: Connection,
    source: InForce,
    version: str,
    *,
    reason: str,
    who: str,
    apply: bool,
    progress: Callable[[int, int], object] = lambda _done, _of: None,
) -> Moved:
    """Move all open cases to a version in force, or with ``apply`` false say what that does.

    What was complete before the move stays as the earlier version has it. All cases are moved in
    one transaction, and workers decide them again. Cases that begin meanwhile are not moved.

    Raises:
        VersionUnknown: no version in force has this name.
    """
    async with conn.transaction(isolation="repeatable_read", readonly=not apply):
        reference, now = await source.current(conn), await clock.now(conn)
        policy = _in_force(reference, version, now)
        found = Moved(version)
        open_cases = await cases.open_under_others(conn, policy.digest[:32])
        names = {one.digest[:32]: one.version for one in reference.tables.policies.versions}
        for done in range(0, len(open_cases), _BATCH):
            batch = dict(open_cases[done : done + _BATCH])
            found.cases += batch
            found.by_version.update(names.get(digest, digest[:12]) for digest in batch.values())
            for outcome in await _announced_at_once(conn, reference, policy, list(batch), now):
                match outcome:
                    case EscalationRaised():
                        found.raised[outcome.rule_id] += 1
                    case EscalationWithdrawn():
                        found.withdrawn[outcome.rule_id] += 1
                    case CaseRouted() | CaseEnded() | CaseReopened():
                        pass
                    case _:
                        assert_never(outcome)
            progress(min(done + _BATCH, len(open_cases)), len(open_cases))
        if apply and found.cases:
            found.number = await publications.move(
                conn, found.cases, policy.digest, reason=reason, who=who
            )
    return found


def _in_force(reference: Reference, version: str, now: datetime) -> Policy:
    today = reference.calendar.local_date(now)
    versions = reference.tables.policies.versions
    for one in versions:
        if one.version == version and (one.valid_from <= today or one is versions[0]):
            return one
    names = ", ".join(one.version for one in versions if one.valid_from <= today)
    raise VersionUnknown(f"no version {version} of the policy is in force: take one of {names}")


async def _announced_at_once(
    conn: Connection, reference: Reference, policy: Policy, case_ids: list[str], now: datetime
) -> list[Outcome]:
    """Return what the move makes of these cases at once, beyond what is due anyway."""
    rows = await cases.read(conn, case_ids)
    log, unreadable = await events.readable_log(conn, case_ids)
    ledgers = await escalations.ledger(conn, case_ids)
    letters = unit_of_work.letters_of(await dead_letters.open_on(conn, case_ids), reference)
    moves: Mapping[str, tuple[Move, ...]] = await publications.moves_of(conn, case_ids)
    found: list[Outcome] = []
    for row in rows:
        name = row.case_id
        if name in unreadable:
            continue
        known = moves.get(name, ())
        due, then = (
            project(
                row,
                log.get(name, ()),
                ledgers.get(name, NO_LEDGER),
                letters.get(name),
                reference,
                now,
                under,
            )[1]
            for under in (known, (*known, Move(policy.digest, now)))
        )
        anyway = {message.message_id for message in due}
        found += [one.outcome for one in then if one.message_id not in anyway]
    return found
