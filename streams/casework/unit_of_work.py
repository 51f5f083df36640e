"""The unit of work on cases: lock them, decide them, write and announce the difference.

Events, late events, replayed events, deadlines, new offices and new policies all end here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple, assert_never
from uuid import UUID

from schemas.envelope import headers
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
from streams.casework.projection import NO_LEDGER, project
from streams.domain.case import Fact
from streams.domain.decide import Announcement
from streams.reference import Reference
from streams.store import cases, dead_letters, escalations, events, outbox
from streams.store.clock import Clock
from streams.store.pool import Connection

SOURCE: Final = "/icam/streams"
"""CloudEvents ``source`` of everything announced here."""
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


class Decided(NamedTuple):
    """What one transaction must write: projections, and announcements by case, in order."""

    projections: Sequence[cases.Saved]
    announcements: Sequence[tuple[str, Announcement]]


async def lock_and_load(conn: Connection, case_ids: Iterable[str], clock: Clock) -> LockedCases:
    """Lock cases in case-id order, new ones included, and load their state.

    Blocks while another transaction holds one of the locks.
    """
    wanted = set(case_ids)
    if not wanted:
        return LockedCases(await clock(conn), (), {}, {}, ())
    rows = await cases.lock(conn, wanted)
    ordered = [row.case_id for row in rows]
    return LockedCases(
        await clock(conn),
        rows,
        await events.log(conn, ordered),
        await escalations.ledger(conn, ordered),
        await dead_letters.open_on(conn, ordered),
    )


async def reload_dead_letters(conn: Connection, locked: LockedCases) -> LockedCases:
    """Return the same cases with the dead letters that are open now."""
    letters = await dead_letters.open_on(conn, [row.case_id for row in locked.rows])
    return replace(locked, letters=letters)


async def reconsider(
    conn: Connection,
    locked: LockedCases,
    reference: Reference,
    *,
    new: Mapping[str, Sequence[Fact]] | None = None,
    touched: Iterable[str] = (),
    causes: Mapping[str, datetime] | None = None,
) -> tuple[Outcome, ...]:
    """Decide cases again and write what follows; return what was announced, in order.

    Decides the cases with ``new`` facts and the ``touched`` ones; all of them must be locked.
    ``causes`` says, by case, since when there was something to announce. It is stored with the
    announcement, to measure the latency. Runs inside the caller's transaction and commits nothing.
    Repeated with the same facts it announces nothing.

    1. Decide every case, without I/O.
    2. Write projections, ledger and outbox, one statement each.
    """
    decided = decide_cases(locked, reference, new or {}, touched)
    await _write(conn, decided, locked.now, causes or {})
    return tuple(message.outcome for _, message in decided.announcements)


def decide_cases(
    locked: LockedCases,
    reference: Reference,
    new: Mapping[str, Sequence[Fact]],
    touched: Iterable[str] = (),
) -> Decided:
    """Return what must be written for the cases with ``new`` facts and the ``touched`` ones."""
    wanted = {*new, *touched}
    open_letters = Counter(case_id for letter in locked.letters for case_id in letter.case_ids)
    projections: list[cases.Saved] = []
    announcements: list[tuple[str, Announcement]] = []
    for row in locked.rows:
        case_id = row.case_id
        if case_id not in wanted:
            continue
        projection, messages = project(
            row,
            (*locked.log.get(case_id, ()), *new.get(case_id, ())),
            locked.ledgers.get(case_id, NO_LEDGER),
            open_letters[case_id],
            reference,
            locked.now,
        )
        projections.append(projection)
        announcements += [(case_id, message) for message in messages]
    return Decided(projections, announcements)


async def _write(
    conn: Connection, decided: Decided, now: datetime, causes: Mapping[str, datetime]
) -> None:
    withdrawn: list[EscalationWithdrawn] = []
    raised: list[tuple[UUID, EscalationRaised]] = []
    entries: list[outbox.OutboxEntry] = []
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
        entries.append(_outbox_entry(case_id, message, now, causes.get(case_id)))
    if decided.projections:
        await cases.save(conn, decided.projections, now)
    if withdrawn:
        await escalations.withdraw(conn, withdrawn)
    if raised:
        await escalations.raise_(conn, raised)
    if entries:
        await outbox.put(conn, entries)


def _outbox_entry(
    case_id: str, message: Announcement, now: datetime, caused_at: datetime | None
) -> outbox.OutboxEntry:
    name, topic = _TYPE_OF[type(message.outcome)]
    attributes = headers(message.message_id, SOURCE, name, now, case_id)
    return outbox.OutboxEntry(
        message.message_id, topic, case_id, tuple(attributes), body(message.outcome), caused_at
    )
