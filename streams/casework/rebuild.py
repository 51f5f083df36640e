"""Rebuild projections from the log in parallel processes and compare them with the stored ones.

A projection is the decision on a case as of the instant at which it was last decided. Decided as of
that instant again, from the log, the ledger and the open dead letters alone, it must be the same
and announce nothing. The unit of work corrects and announces what differs, like any other change.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import orjson

from streams import reference
from streams.casework import unit_of_work
from streams.casework.projection import NO_LEDGER, project
from streams.reference import Reference
from streams.runtime.settings import Settings
from streams.store import cases, clock, dead_letters, escalations, events, reference_tables
from streams.store.pool import Connection, open_pool

_NAME: Final = "icam-rebuild"
_RANGE: Final = 1000
"""Cases that a process has in memory at a time."""
_SHARE: Final = 8
"""Ranges per task of a process; a task has one connection."""
_SHOWN: Final = 100
"""Most case references that a result lists."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The result for some cases."""

    cases: int = 0
    events: int = 0
    older: int = 0
    """Cases decided with other reference data: only their folds were compared."""
    differing: int = 0
    """Projections that differ from the log, or are missing."""
    mended: int = 0
    """Differing projections that were corrected."""
    shown: tuple[str, ...] = ()
    """References of the first cases that differ."""

    def __add__(self, other: Rebuilt) -> Rebuilt:
        return Rebuilt(
            self.cases + other.cases,
            self.events + other.events,
            self.older + other.older,
            self.differing + other.differing,
            self.mended + other.mended,
            (self.shown + other.shown)[:_SHOWN],
        )


Range = tuple[str, str | None]


def rebuild(
    settings: Settings,
    *,
    mend: bool,
    processes: int,
    progress: Callable[[int, int], object] = lambda _done, _of: None,
) -> Rebuilt:
    """Rebuild and compare every projection; with ``mend`` correct those that differ. Blocks.

    Safe while workers run: a range of cases is read in one snapshot, and a correction is a unit of
    work under the cases' locks. ``progress`` gets the number of ranges done and of all.

    Raises:
        OSError, asyncpg.PostgresError: the database can't be reached, or refuses.
    """
    ranges = asyncio.run(_ranges(settings))
    shares = [ranges[at : at + _SHARE] for at in range(0, len(ranges), _SHARE)]
    total, done = Rebuilt(), 0
    # Spawned, not forked: a child must not inherit connections or threads.
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        work = {pool.submit(_run_share, settings, share, mend): len(share) for share in shares}
        try:
            for finished in as_completed(work):
                total += finished.result()
                done += work[finished]
                progress(done, len(ranges))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return total


def processors() -> int:
    """Return how many processes may run at once here."""
    return len(os.sched_getaffinity(0))


async def _ranges(settings: Settings) -> list[Range]:
    pool = await open_pool(settings.database, _NAME)
    try:
        async with pool.acquire() as conn:
            return await cases.ranges(conn, _RANGE)
    finally:
        await pool.close()


def _run_share(settings: Settings, share: Sequence[Range], mend: bool) -> Rebuilt:
    return asyncio.run(_compare_share(settings, share, mend))


async def _compare_share(settings: Settings, share: Sequence[Range], mend: bool) -> Rebuilt:
    ref = _reference(settings.policy_file, settings.directory_file)
    pool = await open_pool(settings.database, _NAME)
    total = Rebuilt()
    try:
        async with pool.acquire() as conn:
            for first, after in share:
                found, wrong = await _compare(conn, ref, first, after)
                if wrong and mend:
                    await _mend(conn, ref, wrong)
                    found = replace(found, mended=len(wrong))
                total += found
    finally:
        await pool.close()
    return total


async def _compare(
    conn: Connection, ref: Reference, first: str, after: str | None
) -> tuple[Rebuilt, Sequence[str]]:
    """Rebuild the projections of a range; return the counts and the cases that differ."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        now = await clock.now(conn)
        projections = await cases.between(conn, first, after)
        log = await events.log_between(conn, first, after)
        wanted = sorted({*projections, *log})
        ledgers = await escalations.ledger(conn, wanted)
        letters = Counter(
            case_id
            for letter in await dead_letters.open_on(conn, wanted)
            for case_id in letter.case_ids
        )
    wrong, older = [], 0
    for case_id in wanted:
        stored, decided_at, known_since = projections.get(case_id, (None, None, None))
        if stored is None:
            wrong.append(case_id)
            continue
        row = cases.CaseRow(
            case_id, orjson.loads(stored.route), stored.routings, stored.endings, known_since
        )
        rebuilt, due = project(
            row,
            log.get(case_id, ()),
            ledgers.get(case_id, NO_LEDGER),
            letters[case_id],
            ref,
            decided_at or now,
        )
        if stored.reference_digest == ref.digest:
            same = rebuilt == stored and not due
        else:
            older += 1
            same = (rebuilt.digest, rebuilt.events, rebuilt.order_id) == (
                stored.digest,
                stored.events,
                stored.order_id,
            )
        if not same:
            wrong.append(case_id)
    return Rebuilt(
        cases=len(wanted),
        events=sum(map(len, log.values())),
        older=older,
        differing=len(wrong),
        shown=tuple(wrong[:_SHOWN]),
    ), wrong


async def _mend(conn: Connection, ref: Reference, wrong: Sequence[str]) -> None:
    async with conn.transaction():
        await reference_tables.record(conn, ref.policy, ref.directory, ref.calendar)
        await cases.restore(conn, wrong)
        locked = await unit_of_work.lock_and_load(conn, wrong, clock.now)
        await unit_of_work.reconsider(conn, locked, ref, touched=wrong)


@lru_cache(maxsize=1)
def _reference(policy_file: Path | None, directory_file: Path | None) -> Reference:
    return reference.load(policy_file, directory_file)
