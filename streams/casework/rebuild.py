"""Rebuild projections from the log in parallel processes and compare them with the stored ones.

A projection is the decision on a case as of the instant at which it was last decided. Decided as of
that instant again, from the log, the ledger and the open dead letters alone, it must be the same
and announce nothing. The unit of work corrects and announces what differs, like any other change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from streams import reference
from streams.casework import ranges, unit_of_work
from streams.casework.in_force import InForce, in_force_source
from streams.reference import Reference
from streams.runtime.collector import collect_rarely
from streams.runtime.processes import run_shares
from streams.runtime.settings import Settings
from streams.store import cases, chains, clock, reference_tables
from streams.store.pool import Connection, open_pool

_NAME: Final = "icam-rebuild"
_SHOWN: Final = 100
"""Most case references that a result lists."""
_MENDED: Final = 100
"""Cases corrected in one transaction: it waits for the locks of all of them, and workers for it."""


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
        ProcessEnded: a process was killed; what was corrected before stays corrected.
    """
    shares = asyncio.run(ranges.shares(settings, _NAME))
    total, done, of = Rebuilt(), 0, sum(map(len, shares))
    task = partial(_run_share, settings, mend)
    work = run_shares(task, dict(enumerate(shares)), processes, collect_rarely)
    with closing(work) as finished:
        for number, found in finished:
            total += found
            done += len(shares[number])
            progress(done, of)
    return total


def _run_share(settings: Settings, mend: bool, share: Sequence[ranges.Range]) -> Rebuilt:
    return asyncio.run(_compare_share(settings, mend, share))


async def _compare_share(settings: Settings, mend: bool, share: Sequence[ranges.Range]) -> Rebuilt:
    pool = await open_pool(settings.database, _NAME)
    total = Rebuilt()
    try:
        async with pool.acquire() as conn:
            ref = await _source(settings).current(conn)
            for first, after in share:
                found, wrong = await _compare(conn, ref, first, after)
                if wrong and mend:
                    for at in range(0, len(wrong), _MENDED):
                        await _mend(conn, ref, wrong[at : at + _MENDED])
                    found = replace(found, mended=len(wrong))
                total += found
    finally:
        await pool.close()
    return total


async def _compare(
    conn: Connection, ref: Reference, first: str, after: str | None
) -> tuple[Rebuilt, Sequence[str]]:
    """Rebuild the projections of a range; return the counts and the cases that differ."""
    held = await ranges.read(conn, ref, first, after)
    wrong, older = [], 0
    for case_id in held.case_ids:
        if case_id not in held.projections:
            wrong.append(case_id)
            continue
        stored, decided_at, _ = held.projections[case_id]
        rebuilt, due = held.project(case_id, ref, decided_at or held.now)
        if stored.reference_digest.endswith(ref.digest):
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
        cases=len(held.case_ids) + len(held.unreadable),
        events=sum(map(len, held.log.values())),
        older=older,
        differing=len(wrong) + len(held.unreadable),
        shown=(*sorted(held.unreadable), *wrong)[:_SHOWN],
    ), wrong


async def _mend(conn: Connection, ref: Reference, wrong: Sequence[str]) -> None:
    async with conn.transaction():
        await reference_tables.record(conn, ref.tables, ref.producers)
        if restored := await cases.restore(conn, wrong):
            await chains.restore(conn, restored)
        locked = await unit_of_work.lock_and_load(conn, wrong, clock.now)
        await unit_of_work.reconsider(conn, locked, ref, touched=wrong)


_sources: Final[dict[tuple[Path | None, ...], InForce]] = {}


def _source(settings: Settings) -> InForce:
    """Return the tables in force for this process, which works on several shares."""
    files = settings.reference_files
    if files not in _sources:
        _sources[files] = in_force_source(reference.load(*files), settings)
    return _sources[files]
