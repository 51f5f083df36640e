"""Compare where open cases go under a changed office directory with where they go now.

Reads only. Both routes are projections of the same case as of the same instant: the first day of
the changed directory, or now if that day has come. Of equally proper offices each case gets the one
that has room then, in the order of case ids, like cases that are routed one after the other.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

import orjson

from schemas.canary import is_canary
from schemas.outcomes import CaseRouted, OfficeLoad
from streams import reference
from streams.casework import ranges
from streams.casework.in_force import in_force_source
from streams.domain.directory.load import load_directory
from streams.domain.directory.model import Directory
from streams.domain.loads import Loads, best_of
from streams.domain.routing import reason_without_place
from streams.domain.staffing import Staffing, TeamKey
from streams.reference import Reference
from streams.runtime.collector import collect_rarely
from streams.runtime.processes import run_shares
from streams.runtime.settings import Settings
from streams.store import clock
from streams.store.cases import Saved
from streams.store.pool import Connection, open_pool

_NAME: Final = "icam-offices-plan"
_NO_ORDER: Final = "awaiting_order"


class Side(NamedTuple):
    """The office, the team and the language of contact of a case; no language without an order."""

    office_id: str
    track: str
    language: str | None

    @property
    def team(self) -> TeamKey:
        """Return the office and the track."""
        return self.office_id, self.track


class Move(NamedTuple):
    """An open case that the changed directory would route otherwise."""

    case_id: str
    before: Side
    after: Side
    rule_id: str
    why: str
    """The reason of the new route, without the postcode."""

    @property
    def leaves(self) -> bool:
        """Return whether another team follows it; otherwise only the language changes."""
        return self.before.team != self.after.team


class TeamLoad(NamedTuple):
    """Open cases of a team before and after, and the cases that it can follow; None if unknown."""

    office_id: str
    track: str
    cases_before: int
    cases_after: int
    capacity_before: int | None
    capacity_after: int | None


@dataclass(frozen=True, slots=True)
class OfficesPlan:
    """What a changed office directory would do."""

    in_force: Directory
    changed: Directory
    at: datetime
    """The instant for which both were compared."""
    open_cases: int
    unreadable: int
    """Cases with a stored event that can't be read, which were left out."""
    moves: Sequence[Move]
    """In the order of case ids."""
    loads: Sequence[TeamLoad]
    """Every team that has cases before or after, or a capacity."""


class _Found(NamedTuple):
    """An open case, where it goes now, and where it would go."""

    move: Move
    candidates: tuple[OfficeLoad, ...]
    """The equally proper offices of the new route, if the case would be routed anew."""


class _Share(NamedTuple):
    """What a process is asked: the same for all shares, apart from the ranges."""

    settings: Settings
    changed: str
    at: datetime
    staffing: Staffing


def plan_offices(
    settings: Settings,
    changed: str,
    staffing: Staffing,
    staffing_after: Staffing,
    *,
    processes: int,
    progress: Callable[[int, int], object] = lambda _done, _of: None,
) -> OfficesPlan:
    """Return what a changed directory, given as its text, would do to all open cases. Blocks.

    Writes nothing, and is safe while workers run: each range of cases is read in one snapshot.
    ``progress`` gets the number of ranges done and of all. The result does not depend on the number
    of processes.

    Raises:
        DirectoryError: the changed directory has faults; nothing was read.
        OSError, asyncpg.PostgresError: the database can't be reached, or refuses.
        ProcessEnded: a process was killed.
    """
    directory = load_directory(changed)
    in_force, now = asyncio.run(_in_force(settings))
    calendar = in_force.calendar
    at = now
    if calendar.local_date(now) < directory.valid_from:
        at = calendar.start_of(directory.valid_from)
    asked = _Share(settings, changed, at, staffing_after)
    found, unreadable = _read(asked, processes, progress)
    before = Counter(one.move.before.team for one in found)
    moves, after = _settle(found, before)
    day = calendar.local_date(at)
    teams = {*before, *after}
    teams |= {line.team for table in (staffing, staffing_after) for line in table.on(day)}
    return OfficesPlan(
        in_force.tables.directory_at(at),
        directory,
        at,
        len(found),
        unreadable,
        moves,
        [
            TeamLoad(
                *team,
                before[team],
                after[team],
                staffing.capacity(*team, day),
                staffing_after.capacity(*team, day),
            )
            for team in sorted(teams)
        ],
    )


def _read(
    asked: _Share, processes: int, progress: Callable[[int, int], object]
) -> tuple[list[_Found], int]:
    """Return all open cases in the order of their ids, and how many could not be read."""
    shares = asyncio.run(ranges.shares(asked.settings, _NAME))
    done, of = 0, sum(map(len, shares))
    found: list[_Found] = []
    unreadable = 0
    task = partial(_run_share, asked)
    work = run_shares(task, dict(enumerate(shares)), processes, collect_rarely)
    with closing(work) as finished:
        for number, (more, left_out) in finished:
            found += more
            unreadable += left_out
            done += len(shares[number])
            progress(done, of)
    return sorted(found, key=lambda one: one.move.case_id), unreadable


def _settle(
    found: Sequence[_Found], before: Counter[TeamKey]
) -> tuple[list[Move], Counter[TeamKey]]:
    """Choose between equally proper offices, case by case; return the moves and all loads."""
    after, moves = Counter(before), list[Move]()
    for move, candidates in found:
        if move.before == move.after:
            continue
        if len(candidates) > 1 and move.leaves:
            best = best_of(
                [
                    replace(one, open_cases=after[one.office_id, move.after.track])
                    for one in candidates
                ]
            )
            move = move._replace(after=move.after._replace(office_id=best.office_id))
        after[move.before.team] -= 1
        after[move.after.team] += 1
        moves.append(move)
    return moves, after


async def _in_force(settings: Settings) -> tuple[Reference, datetime]:
    pool = await open_pool(settings.database, _NAME)
    try:
        async with pool.acquire() as conn:
            return await _source(settings, conn), await clock.now(conn)
    finally:
        await pool.close()


async def _source(settings: Settings, conn: Connection) -> Reference:
    given = reference.load(*settings.reference_files)
    return await in_force_source(given, settings).current(conn)


def _run_share(asked: _Share, share: Sequence[ranges.Range]) -> tuple[list[_Found], int]:
    return asyncio.run(_compare_share(asked, share))


async def _compare_share(asked: _Share, share: Sequence[ranges.Range]) -> tuple[list[_Found], int]:
    pool = await open_pool(asked.settings.database, _NAME)
    found: list[_Found] = []
    unreadable = 0
    try:
        async with pool.acquire() as conn:
            ref = await _source(asked.settings, conn)
            changed = Reference.of(
                ref.tables.policies.versions,
                [load_directory(asked.changed)],
                ref.calendar,
                ref.producers,
                moved=ref.moved,
            )
            loads = Loads({}, asked.staffing, ref.calendar.local_date(asked.at))
            for first, after in share:
                held = await ranges.read(conn, ref, first, after)
                unreadable += len(held.unreadable)
                found += [
                    _compare(held, case_id, ref, changed, asked.at, loads)
                    for case_id in held.case_ids
                    if _is_open(held, case_id)
                ]
    finally:
        await pool.close()
    return found, unreadable


def _is_open(held: ranges.StoredRange, case_id: str) -> bool:
    stored = held.projections.get(case_id)
    return stored is not None and stored[0].ended_at is None and not is_canary(case_id)


def _compare(
    held: ranges.StoredRange,
    case_id: str,
    ref: Reference,
    changed: Reference,
    at: datetime,
    loads: Loads,
) -> _Found:
    now, _ = held.project(case_id, ref, at)
    then, outcomes = held.project(case_id, changed, at, loads)
    candidates: tuple[OfficeLoad, ...] = ()
    for outcome in outcomes:
        if isinstance(outcome, CaseRouted):
            candidates = outcome.candidates
    route: dict[str, Any] | None = orjson.loads(then.route)
    return _Found(
        Move(
            case_id,
            _side(now),
            _side(then),
            route["rule_id"] if route else _NO_ORDER,
            reason_without_place(route["reason"]) if route else "",
        ),
        candidates,
    )


def _side(projection: Saved) -> Side:
    route: dict[str, Any] | None = orjson.loads(projection.route)
    # A decision always names the office and the track.
    office_id, track = projection.office_id or "", projection.track or ""
    return Side(office_id, track, route["language"] if route else None)
