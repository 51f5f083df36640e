"""The unit of work on cases: lock them, decide them, write and announce the difference.

Events, late events, replayed events, deadlines, new offices and new policies all end here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple, assert_never
from uuid import UUID

import structlog

from schemas.chain import Head, extend
from schemas.codec import Decoded
from schemas.envelope import headers
from schemas.instants import rfc3339
from schemas.outcomes import (
    OUTCOME_TYPES,
    CaseEnded,
    CaseReopened,
    CaseRouted,
    EscalationRaised,
    EscalationWithdrawn,
    Outcome,
    body,
)
from schemas.rejected import Reason
from streams.casework.in_force import ReferenceSource
from streams.casework.projection import NO_LEDGER, project
from streams.domain.announce import hold_back
from streams.domain.case import Fact
from streams.domain.decision import Announcement
from streams.domain.letters import OpenLetters, open_letters
from streams.domain.loads import Loads
from streams.domain.policy.versions import Move
from streams.reference import Reference
from streams.runtime.loop import in_turns
from streams.store import cases, dead_letters, escalations, events, outbox, publications
from streams.store import clock as server_clock
from streams.store import unit_of_work as store
from streams.store.clock import Clock
from streams.store.dead_letters import DeadLetter
from streams.store.events import EventKey, Position
from streams.store.outbox import NOTHING_WRITTEN, Written
from streams.store.pool import Connection
from streams.store.unit_of_work import Change

logger = structlog.get_logger(__name__)

SOURCE: Final = "/icam/streams"
"""CloudEvents ``source`` of everything announced here."""
_AT_ONCE: Final = 10
"""How many cases are decided before other tasks get their turn: some milliseconds of work."""
_TYPE_OF: Final = {model: (name, topic) for name, (topic, model) in OUTCOME_TYPES.items()}


@dataclass(frozen=True, slots=True)
class LockedCases:
    """Cases locked by this transaction, with the state read under the lock."""

    now: datetime
    """The instant of the decision. It is read after the last lock was acquired, so no transaction
    that held one of these locks before decided at a later instant."""
    rows: Sequence[cases.CaseRow]
    log: Mapping[str, Sequence[Fact]]
    ledgers: Mapping[str, escalations.Ledger]
    letters: Sequence[dead_letters.OpenDeadLetter]
    unreadable: frozenset[str] = frozenset()
    """Cases with a stored event that can't be read; their log is not loaded."""
    moves: Mapping[str, tuple[Move, ...]] = field(default_factory=dict)
    """Policy versions that officials moved cases to, by case."""
    added: frozenset[EventKey] = frozenset()
    """Events that were appended when the state was read; they are not in ``log``."""
    publications: int | None = None
    """How many versions and moves of the policy were published; None if that was not read."""


class Decided(NamedTuple):
    """What one transaction must write: projections, and announcements by case, in order."""

    projections: Sequence[cases.Saved]
    announcements: Sequence[tuple[str, Announcement]]
    held_back: Mapping[str, datetime] = MappingProxyType({})
    """Cases that can't be folded, and when each is checked next."""


class Reconsidered(NamedTuple):
    """What was announced, in order, and the entries that the relay may publish after the commit."""

    outcomes: tuple[Outcome, ...] = ()
    written: Written = NOTHING_WRITTEN


async def lock_and_load(
    conn: Connection,
    case_ids: Iterable[str],
    clock: Clock,
    new: Sequence[tuple[Decoded, Position]] = (),
) -> LockedCases:
    """Lock cases in case-id order, new ones included, append their new events, load their state.

    Blocks while another transaction holds one of the locks. Two statements: what is read is as new
    as the last lock. Events that are in the log already are not appended again.
    """
    wanted = set(case_ids)
    if not wanted:
        return LockedCases(await clock(conn), (), {}, {}, ())
    rows = await cases.lock(conn, wanted)
    ordered = [row.case_id for row in rows]
    links = {row.case_id: row.head.links + 1 for row in rows}
    loaded = await store.load(conn, ordered, new, links)
    # The server's clock was read with the rest; that of a test has to be asked.
    now = loaded.now if clock is server_clock.now else await clock(conn)
    letters = loaded.letters
    if loaded.unreadable:
        await _set_apart(conn, ordered)
        letters = await dead_letters.open_on(conn, ordered)
    return LockedCases(
        now,
        rows,
        loaded.log,
        loaded.ledgers,
        letters,
        loaded.unreadable,
        added=loaded.added,
        publications=loaded.publications,
    )


async def _set_apart(conn: Connection, case_ids: Sequence[str]) -> None:
    """Store a dead letter for each event of these cases that can't be read."""
    found = await events.unreadable(conn, case_ids)
    for event in found:
        error = events.UnreadableEvent(event.event_id)
        logger.error("event_unreadable", event_id=str(event.event_id), position=str(event.position))
        await dead_letters.put(
            conn,
            [
                DeadLetter(
                    event.position,
                    event.case_id.encode(),
                    event.payload,
                    (),
                    Reason.BUG,
                    str(error),
                    (event.case_id,),
                    None,
                    event.source,
                )
            ],
        )


async def reload_dead_letters(conn: Connection, locked: LockedCases) -> LockedCases:
    """Return the same cases with the dead letters that are open now."""
    letters = await dead_letters.open_on(conn, [row.case_id for row in locked.rows])
    return replace(locked, letters=letters)


async def reconsider(
    conn: Connection,
    locked: LockedCases,
    source: ReferenceSource,
    *,
    new: Mapping[str, Sequence[Fact]] | None = None,
    appended: Mapping[str, Sequence[bytes]] | None = None,
    touched: Iterable[str] = (),
    causes: Mapping[str, datetime] | None = None,
    loads: Loads | None = None,
    handled: Mapping[tuple[str, int], int] | None = None,
) -> Reconsidered:
    """Decide cases again and write what follows; return what was announced, in order.

    Decides the cases with ``new`` facts and the ``touched`` ones; all of them must be locked.
    ``appended`` are the hashes of the events of these facts, by case, in the order of their ids.
    ``causes`` says, by case, since when there was something to announce. It is stored with the
    announcement, to measure the latency. ``loads`` chooses between equally proper offices.
    ``handled`` says how far each partition was handled with these events, and is written too. Runs
    inside the caller's transaction and commits nothing.
    Repeated with the same facts it announces nothing.

    1. Ask for the tables in force: the locks are held, so that a case is never decided by older
       tables than before.
    2. Decide every case, without I/O. Other tasks get their turn after each few.
    3. Write projections, ledger and outbox; the events and the announcements of a case are one
       more link of its chain.
    """
    reference = await source.current(conn, locked.publications)
    if reference.moved:
        moves = await publications.moves_of(conn, [row.case_id for row in locked.rows])
        locked = replace(locked, moves=moves)
    decided = await _decide(locked, reference, new or {}, touched, loads)
    heads = {row.case_id: row.head for row in locked.rows}
    change = _change(decided, heads, appended or {}, locked.now, causes or {}, handled or {})
    written = NOTHING_WRITTEN
    if change.projections or change.entries or change.handled:
        written = await store.write(conn, change)
    if decided.held_back:
        held_back = {name: (change.heads[name], at) for name, at in decided.held_back.items()}
        await cases.hold_back(conn, held_back, locked.now)
    outcomes = tuple(message.outcome for _, message in decided.announcements)
    return Reconsidered(outcomes, written)


async def _decide(
    locked: LockedCases,
    reference: Reference,
    new: Mapping[str, Sequence[Fact]],
    touched: Iterable[str],
    loads: Loads | None,
) -> Decided:
    """Return what must be written for the cases with ``new`` facts and the ``touched`` ones.

    Each case that is routed counts in the loads for the next ones.
    """
    wanted = {*new, *touched}
    letters = letters_of(locked.letters, reference)
    projections: list[cases.Saved] = []
    announcements: list[tuple[str, Announcement]] = []
    held_back: dict[str, datetime] = {}
    rows = [row for row in locked.rows if row.case_id in wanted]
    async for row in in_turns(rows, _AT_ONCE):
        case_id = row.case_id
        if case_id in locked.unreadable:
            held = letters.get(case_id) or OpenLetters(1, locked.now)
            held_back[case_id] = held.check_at(locked.now, reference.calendar)
            standing = locked.ledgers.get(case_id, NO_LEDGER).standing
            announcements += [
                (case_id, message) for message in hold_back(case_id, standing, locked.now)
            ]
            continue
        projection, messages = project(
            row,
            (*locked.log.get(case_id, ()), *new.get(case_id, ())),
            locked.ledgers.get(case_id, NO_LEDGER),
            letters.get(case_id),
            reference,
            locked.now,
            locked.moves.get(case_id, ()),
            loads,
        )
        if loads is not None:
            loads = loads.after(message.outcome for message in messages)
        projections.append(projection)
        announcements += [(case_id, message) for message in messages]
    return Decided(projections, announcements, held_back)


def letters_of(
    letters: Iterable[dead_letters.OpenDeadLetter], reference: Reference
) -> Mapping[str, OpenLetters]:
    """Return what the open dead letters of each case may concern, by case."""
    of_case: dict[str, list[tuple[str, datetime]]] = {}
    for letter in letters:
        for case_id in letter.case_ids:
            pair = (letter.position.topic, letter.recorded_at)
            of_case.setdefault(case_id, []).append(pair)
    found = {}
    for case_id, pairs in of_case.items():
        held = open_letters(pairs, reference.producers.concerned_by)
        if held is not None:
            found[case_id] = held
    return found


def _change(
    decided: Decided,
    heads: Mapping[str, Head],
    appended: Mapping[str, Sequence[bytes]],
    now: datetime,
    causes: Mapping[str, datetime],
    handled: Mapping[tuple[str, int], int],
) -> Change:
    """Return what to write, with the heads of all cases as they are then."""
    withdrawn: list[EscalationWithdrawn] = []
    raised: list[tuple[UUID, EscalationRaised]] = []
    entries: list[outbox.OutboxEntry] = []
    time = rfc3339(now)
    for case_id, message in decided.announcements:
        outcome = message.outcome
        if type(outcome) is EscalationRaised:
            raised.append((message.message_id, outcome))
        elif type(outcome) is EscalationWithdrawn:
            withdrawn.append(outcome)
        elif not (  # the projection holds the route and the end
            type(outcome) is CaseRouted
            or type(outcome) is CaseEnded
            or type(outcome) is CaseReopened
        ):
            assert_never(outcome)
        link = heads[case_id].links + 1
        entries.append(_outbox_entry(case_id, message, time, causes.get(case_id), link))
    longer = _extended(heads, appended, entries)
    return Change(now, decided.projections, longer, withdrawn, raised, entries, handled)


def _extended(
    heads: Mapping[str, Head],
    appended: Mapping[str, Sequence[bytes]],
    messages: Iterable[outbox.OutboxEntry],
) -> Mapping[str, Head]:
    """Return the heads of all cases, those with new entries after one more link."""
    links = {case_id: list(entries) for case_id, entries in appended.items()}
    for message in messages:
        links.setdefault(message.key, []).append(message.entry)
    longer = {case_id: extend(heads[case_id], entries) for case_id, entries in links.items()}
    return {**heads, **longer}


def _outbox_entry(
    case_id: str, message: Announcement, time: str, caused_at: datetime | None, link: int
) -> outbox.OutboxEntry:
    name, topic = _TYPE_OF[type(message.outcome)]
    message_id = str(message.message_id)
    attributes = headers(message_id, SOURCE, name, time, case_id)
    return outbox.OutboxEntry(
        message_id, topic, case_id, attributes, body(message.outcome), caused_at, link
    )
