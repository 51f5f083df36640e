"""Replay the recorded history under a draft of the tables and compare it with those in force.

Reads only: every transaction is read-only, and at its end the server says that it wrote nothing.
Like a rebuild it works on ranges of cases in parallel processes, and holds one range at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from datetime import datetime
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from schemas.canary import is_canary
from schemas.codes import Guard
from schemas.producers import Producers, load_producers
from streams import reference
from streams.casework import ranges
from streams.casework.in_force import in_force_source
from streams.casework.ranges import Range
from streams.casework.whatif_progress import HistoryChanged, Plan, ProgressFile
from streams.domain.case import Case
from streams.domain.directory.load import load_directory
from streams.domain.directory.model import Directory
from streams.domain.draft import Tried
from streams.domain.explain.decision import Known, explain_decision
from streams.domain.explain.decision_text import Document, decision_in_words
from streams.domain.letters import OpenLetters, open_letters
from streams.domain.policy.lint import lint_together
from streams.domain.policy.load import PolicyError, load_policy
from streams.domain.policy.rules import LANGUAGES, Policy
from streams.domain.policy.versions import Policies
from streams.domain.replay import History, Replayed, Trial
from streams.domain.tables import Directories, Tables
from streams.domain.whatif import Example, WhatIf
from streams.domain.whatif_compare import Tally, begins, differences
from streams.reference import Reference
from streams.runtime.collector import collect_rarely
from streams.runtime.processes import run_shares
from streams.runtime.settings import Settings
from streams.store import clock, dead_letters, events, outbox, publications, read_only
from streams.store.dead_letters import Opened
from streams.store.pool import Connection, open_pool

_NAME: Final = "icam-whatif"


class Draft(NamedTuple):
    """What is tried: the text of a policy, of a directory, or both."""

    policy: str | None = None
    directory: str | None = None
    as_dated: bool = False
    """Whether it keeps its own first day; else it stands for the version in force at the end."""


class Base(NamedTuple):
    """What a draft is compared with: the tables in force, and how far the history goes."""

    ref: Reference
    until: datetime
    """The last ``recorded_at``; the present without any."""

    @property
    def policy(self) -> Policy:
        """Return the version of the policy in force at the end of the history."""
        return self.ref.tables.policies.on(self.ref.calendar.local_date(self.until))

    @property
    def directory(self) -> Directory:
        """Return the version of the directory in force at the end of the history."""
        return self.ref.tables.directories.on(self.ref.calendar.local_date(self.until))

    def faults_beside(self, draft: Policy) -> list[str]:
        """Return the faults of a draft that keeps its first day, beside the other versions."""
        versions = self.ref.tables.policies.versions
        others = [one for one in versions if one.valid_from != draft.valid_from]
        others = [one for one in others if one.digest != draft.digest]
        return lint_together([*others, draft], self.ref.calendar.local_date(self.until))


class _Asked(NamedTuple):
    """What each process is asked, as texts: tables can't be sent to another process."""

    settings: Settings
    policies: tuple[str, ...]
    directories: tuple[str, ...]
    producers: str
    moved: bool
    draft: Draft
    since: datetime | None
    until: datetime


class Answer(NamedTuple):
    """The result, and reference data that names the rules and offices of both tables."""

    result: WhatIf
    names: Reference


def whatif(
    settings: Settings,
    draft: Draft,
    *,
    since: datetime | None = None,
    processes: int = 1,
    resume: Path | None = None,
    progress: Callable[[int, int], object] = lambda _done, _of: None,
) -> Answer:
    """Return what a draft would have decided otherwise on all that was recorded. Blocks.

    Safe while workers run: what is recorded after the beginning is left out. ``progress`` gets the
    number of ranges done and of all. With ``resume`` each share that is done is written to a file,
    and those in the file are not done again. The result is the same, whatever the number of
    processes and of interruptions.

    1. Read the tables in force and how far the history goes, or take it from the file.
    2. Replay the shares, in several processes, and add up what they found.
    3. Replay the cases of the examples again, and explain them under both tables.

    Raises:
        PolicyError, DirectoryError: the draft has faults; nothing was read.
        ResumeError: the file of an earlier run can't be used.
        WroteSomething: a transaction wrote, and was undone.
        OSError, asyncpg.PostgresError: the database can't be reached, or refuses.
        ProcessEnded: a process was killed; the file, if there is one, has what was done before.
    """
    policy = load_policy(draft.policy) if draft.policy is not None else None
    if draft.directory is not None:
        load_directory(draft.directory)
    ref, plan = asyncio.run(_begin(settings))
    if policy is not None and draft.as_dated:
        faults = Base(ref, plan.until).faults_beside(policy)
        if faults:
            raise PolicyError(faults)
    file, done = None, dict[int, Tally]()
    if resume is not None:
        file = ProgressFile(resume, _inputs(ref, draft, since))
        earlier, done = file.read()
        if earlier is None:
            file.begin(plan)
        else:
            plan = earlier
            asyncio.run(_expect_same(settings, plan, resume))
    asked = _Asked(
        settings,
        tuple([one.body for one in ref.tables.policies.versions]),
        tuple([one.body for one in ref.tables.directories.versions]),
        ref.producers.body,
        ref.moved,
        draft,
        since,
        plan.until,
    )
    total, of = Tally(), sum(map(len, plan.shares))
    for found in done.values():
        total.merge(found)
    ranges_done = sum(len(plan.shares[number]) for number in done)
    progress(ranges_done, of)
    left = {nth: share for nth, share in enumerate(plan.shares) if nth not in done}
    # A range is held until it is replayed, and leaves next to no cycles behind.
    begin = partial(collect_rarely, 500_000)
    with closing(run_shares(partial(_run_share, asked), left, processes, begin)) as finished:
        for number, found in finished:
            total.merge(found)
            if file is not None:
                file.add(number, found)
            ranges_done += len(plan.shares[number])
            progress(ranges_done, of)
    subject = _subject(asked[1:])
    tried = subject.tried
    result = WhatIf(
        policy=_named(tried.policy),
        policy_before=_named(tried.policy_before),
        directory=_named(tried.directory),
        directory_before=_named(tried.directory_before),
        since=since,
        until=plan.until,
        cases=total.cases,
        events=total.events,
        unreadable=total.unreadable,
        differing_cases=total.differing_cases,
        groups=total.groups(),
        loads=total.loads(),
        standing=total.standing(),
        examples=asyncio.run(_examples(asked, total.examples())),
    )
    return Answer(result, subject.names())


async def read_base(settings: Settings) -> Base:
    """Return what a draft is compared with, if it is tried at once.

    Raises:
        OSError, asyncpg.PostgresError: the database can't be reached, or refuses.
    """
    async with _reading(settings) as conn, read_only.snapshot(conn):
        until = await events.last_recorded(conn)
        return Base(await _in_force(settings, conn), until or await clock.now(conn))


async def _in_force(settings: Settings, conn: Connection) -> Reference:
    return await in_force_source(reference.load(*settings.reference_files), settings).current(conn)


async def _begin(settings: Settings) -> tuple[Reference, Plan]:
    """Return the tables in force, and the history up to now."""
    async with _reading(settings) as conn, read_only.snapshot(conn):
        ref = await _in_force(settings, conn)
        until, count = await events.extent(conn)
        if until is None:  # nothing was recorded yet
            until = await clock.now(conn)
        return ref, Plan(until, count, await ranges.shares_on(conn))


async def _expect_same(settings: Settings, plan: Plan, file: Path) -> None:
    async with _reading(settings) as conn, read_only.snapshot(conn):
        if await events.count_until(conn, plan.until) != plan.events:
            raise HistoryChanged(file)


@asynccontextmanager
async def _reading(settings: Settings) -> AsyncIterator[Connection]:
    """Open a connection that refuses to write."""
    pool = await open_pool(settings.database, _NAME)
    try:
        async with pool.acquire() as conn:
            await read_only.refuse_writes(conn)
            yield conn
    finally:
        await pool.close()


def _inputs(ref: Reference, draft: Draft, since: datetime | None) -> str:
    """Return a digest of everything that the result depends on, save the history."""
    parts = [*ref.version_digests, *draft, ref.publication, since]
    return sha256(orjson.dumps([str(one) for one in parts])).hexdigest()


def _named(version: Policy | Directory) -> str:
    return f"{version.version} ({version.digest[:12]})"


class _Subject(NamedTuple):
    """The tables that a process replays under."""

    producers: Producers
    tried: Tried
    trial: Trial

    def reference(self, tables: Tables) -> Reference:
        """Return reference data with these tables."""
        return Reference.of(
            tables.policies.versions, tables.directories.versions, tables.calendar, self.producers
        )

    def names(self) -> Reference:
        """Return reference data that names the rules and offices of both tables."""
        both = (self.tried.before, self.tried.after)
        policies = {one.digest: one for tables in both for one in tables.policies.versions}
        directories = {one.digest: one for tables in both for one in tables.directories.versions}
        calendar = self.tried.after.calendar
        return Reference.of(policies.values(), directories.values(), calendar, self.producers)


@lru_cache(maxsize=1)
def _subject(asked: tuple[Any, ...]) -> _Subject:
    """Return the tables for what is asked. Cached: a process works on several shares."""
    policies, directories, producers, _, draft, _, until = asked
    calendar = reference.belgian_calendar()
    tried = Tried(
        Tables(
            Policies([load_policy(text) for text in policies]),
            Directories([load_directory(text) for text in directories]),
            calendar,
        ),
        calendar.local_date(until),
        load_policy(draft.policy) if draft.policy is not None else None,
        load_directory(draft.directory) if draft.directory is not None else None,
        as_dated=draft.as_dated,
    )
    trial = Trial(tried.before, tried.after, tried.replaced)
    return _Subject(load_producers(producers), tried, trial)


def _run_share(asked: _Asked, share: Sequence[Range]) -> Tally:
    return asyncio.run(_replay_share(asked, share))


async def _replay_share(asked: _Asked, share: Sequence[Range]) -> Tally:
    subject, tally = _subject(asked[1:]), Tally()
    calendar = subject.tried.before.calendar
    async with _reading(asked.settings) as conn:
        for first, after in share:
            found, unreadable = await histories(
                conn, subject.producers, first, after, asked.until, moved=asked.moved
            )
            tally.unreadable += unreadable
            for history in found:
                before, then = subject.trial.compare(history, asked.until, subject.producers.rank)
                number = sum([len(batch.facts) for batch in history.recorded])
                tally.add(history.case_id, number, before, then, asked.since, calendar)
    return tally


async def histories(
    conn: Connection,
    producers: Producers,
    first: str,
    after: str | None,
    until: datetime,
    *,
    moved: bool = False,
) -> tuple[list[History], int]:
    """Read what was recorded of a range of cases up to an instant, in one read-only snapshot.

    Returns as well how many cases have an event that can't be read; they are left out, as are
    canary cases. ``moved`` says whether any case was moved to a version of the policy.
    """
    opened: dict[str, list[Opened]] = {}
    async with read_only.snapshot(conn):
        log, unreadable = await events.recorded_between(conn, first, after, until)
        teams = await outbox.teams_between(conn, first, after, until)
        moves = await publications.moves_of(conn, list(log)) if moved else {}
        for one in await dead_letters.opened_between(conn, first, after, until):
            opened.setdefault(one.case_id, []).append(one)
    return [
        History(
            case_id,
            recorded,
            _letters(opened.get(case_id, ()), producers.concerned_by),
            moves.get(case_id, ()),
            teams.get(case_id, frozenset()),
        )
        for case_id, recorded in sorted(log.items())
        if not is_canary(case_id)
    ], sum(not is_canary(case_id) for case_id in unreadable)


def _letters(
    opened: Sequence[Opened], concerned_by: Callable[[str], frozenset[Guard] | None]
) -> list[tuple[datetime, OpenLetters | None]]:
    """Return which dead letters of a case are open from each instant on at which that changed."""
    instants = {at for one in opened for at in (one.recorded_at, one.resolved_at) if at is not None}
    return [
        (
            at,
            open_letters(
                [
                    (one.topic, one.recorded_at)
                    for one in opened
                    if one.recorded_at <= at and (one.resolved_at is None or one.resolved_at > at)
                ],
                concerned_by,
            ),
        )
        for at in sorted(instants)
    ]


async def _examples(asked: _Asked, case_ids: Sequence[str]) -> list[Example]:
    producers, found = _subject(asked[1:]).producers, list[Example]()
    async with _reading(asked.settings) as conn:
        for case_id in case_ids:
            # The first possible id after this one.
            after = f"{case_id}\x01"
            read, _ = await histories(
                conn, producers, case_id, after, asked.until, moved=asked.moved
            )
            found += [_example(asked, one) for one in read if one.case_id == case_id]
    return found


def _example(asked: _Asked, history: History) -> Example:
    """Explain a case under both tables, as of the instant at which they begin to differ."""
    subject = _subject(asked[1:])
    before, after = subject.trial.compare(history, asked.until, subject.producers.rank)
    found = differences(history.case_id, before, after, asked.since)
    at = min(begins(one) for one in found)
    then = subject.trial.compare(history, at, subject.producers.rank)
    tables = (subject.tried.before, subject.tried.after)
    first, second = (
        _explained(subject, history, one, other, at)
        for one, other in zip(tables, then, strict=True)
    )
    return Example(history.case_id, at, tuple(found), first, second)


def _explained(
    subject: _Subject, history: History, tables: Tables, then: Replayed, at: datetime
) -> Mapping[str, Document]:
    facts = [fact for batch in history.recorded if batch.at <= at for fact in batch.facts]
    case = Case(history.case_id, rank=subject.producers.rank)
    explanation = explain_decision(
        history.case_id, facts, then.announced, tables, at, Known.THEN, case
    )
    ref = subject.reference(tables)
    return {one: decision_in_words(explanation, ref.wording(one)) for one in LANGUAGES}
