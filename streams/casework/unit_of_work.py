"""The one unit of work: look at cases again and announce the difference.

Events, late events, repaired events, deadlines, new offices and new policies all end here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import orjson

from schemas.envelope import headers
from schemas.outcomes import (
    OUTCOME_TYPES,
    EscalationRaised,
    EscalationWithdrawn,
    Outcome,
    RouteRef,
    Track,
    body,
)
from schemas.types import Language
from streams.domain.case import Case, Fact, fold
from streams.domain.decide import Announced, Announcement, Decision, decide
from streams.reference import Reference
from streams.store import cases, dead_letters, escalations, events, outbox
from streams.store.clock import Clock
from streams.store.digest import digest
from streams.store.pool import Connection

SOURCE: Final = "/icam/streams"
_TYPE_OF: Final = {model: (name, topic) for name, (topic, model) in OUTCOME_TYPES.items()}
NO_LEDGER: Final = escalations.Ledger((), {})


@dataclass(frozen=True, slots=True)
class LockedCases:
    """Cases that this transaction has locked, and all that was known of them at that moment."""

    now: datetime
    """The instant of the decision, read after the last lock was won: never before another's."""
    rows: Sequence[cases.CaseRow]
    log: Mapping[str, Sequence[Fact]]
    ledgers: Mapping[str, escalations.Ledger]
    letters: Sequence[dead_letters.OpenDeadLetter]


async def lock_and_load(conn: Connection, case_ids: Iterable[str], clock: Clock) -> LockedCases:
    """Lock cases in case-id order, new ones included, and read what is known of them.

    Blocks while another transaction holds one of them.
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


async def reload_dead_letters(conn: Connection, held: LockedCases) -> LockedCases:
    """Return the same cases with the dead letters that are open now."""
    letters = await dead_letters.open_on(conn, [row.case_id for row in held.rows])
    return replace(held, letters=letters)


async def reconsider(
    conn: Connection,
    held: LockedCases,
    reference: Reference,
    *,
    new: Mapping[str, Sequence[Fact]] | None = None,
    touched: Iterable[str] = (),
    causes: Mapping[str, datetime] | None = None,
) -> tuple[Outcome, ...]:
    """Take in new facts, decide every case that is named, and write down what follows.

    Names only cases that are held. ``causes`` says, by case, since when there was something to
    announce: it is kept with the announcement, to measure how long that took. Returns what was
    announced, in order. Runs inside the caller's transaction and commits nothing. Done twice with
    the same facts it announces nothing the second time.

    1. Fold and decide, case by case, without I/O.
    2. Write projections, ledger and outbox, a statement each.
    """
    new = new or {}
    named = {*new, *touched}
    open_letters = Counter(case_id for letter in held.letters for case_id in letter.case_ids)

    saved: list[cases.Saved] = []
    messages: list[tuple[str, Announcement]] = []
    for row in held.rows:
        if row.case_id not in named:
            continue
        facts = (*held.log.get(row.case_id, ()), *new.get(row.case_id, ()))
        ledger = held.ledgers.get(row.case_id, NO_LEDGER)
        projection, due = project(
            row, facts, ledger, open_letters[row.case_id], reference, held.now
        )
        saved.append(projection)
        messages += [(row.case_id, message) for message in due]

    if saved:
        await cases.save(conn, saved, held.now)
    outcomes = [message.outcome for _, message in messages]
    if withdrawn := [o for o in outcomes if type(o) is EscalationWithdrawn]:
        await escalations.withdraw(conn, withdrawn)
    if raised := [
        (message.message_id, message.outcome)
        for _, message in messages
        if type(message.outcome) is EscalationRaised
    ]:
        await escalations.raise_(conn, raised)
    if messages:
        since = causes or {}
        entries = [
            _entry(case_id, message, held.now, since.get(case_id)) for case_id, message in messages
        ]
        await outbox.put(conn, entries)
    return tuple(outcomes)


def project(
    row: cases.CaseRow,
    facts: Sequence[Fact],
    ledger: escalations.Ledger,
    open_letters: int,
    reference: Reference,
    now: datetime,
) -> tuple[cases.Saved, Sequence[Announcement]]:
    """Return what the projection of a case must hold at ``now``, and what is to be announced.

    ``facts`` are all events of its log, in any order. Without I/O: asked again with what was then
    announced, it returns the same projection and nothing to announce.
    """
    case = fold(Case(row.case_id), facts)
    announced = Announced(
        route=_route_ref(row.route),
        routings=row.routings,
        standing=ledger.standing,
        rounds=ledger.rounds,
        open_dead_letters=open_letters,
    )
    decision = decide(
        case, announced, reference.policy, reference.directory, reference.calendar, now
    )
    where = decision.route
    projection = cases.Saved(
        case_id=row.case_id,
        digest=digest(case),
        events=len(facts),
        order_id=decision.order_id,
        status=decision.status,
        office_id=where.office_id if where else None,
        track=where.track if where else None,
        route=_route(decision),
        routings=decision.routings,
        level=decision.level,
        blocked=_blocked(decision),
        next_check_at=decision.next_check,
        reference_digest=reference.digest,
    )
    return projection, decision.messages


def _entry(
    case_id: str, message: Announcement, now: datetime, caused_at: datetime | None
) -> outbox.OutboxEntry:
    name, topic = _TYPE_OF[type(message.outcome)]
    attributes = headers(message.message_id, SOURCE, name, now, case_id)
    return outbox.OutboxEntry(
        message.message_id, topic, case_id, tuple(attributes), body(message.outcome), caused_at
    )


def _route_ref(route: Mapping[str, Any] | None) -> RouteRef | None:
    if route is None:
        return None
    return RouteRef(
        order_id=route["order_id"],
        office_id=route["office_id"],
        track=Track(route["track"]),
        language=Language(route["language"]),
        interpreter_language=route["interpreter_language"],
        rule_id=route["rule_id"],
    )


def _route(decision: Decision) -> bytes:
    where = decision.route
    if where is None:
        return b"null"
    return orjson.dumps(
        {
            "order_id": decision.order_id,
            "office_id": where.office_id,
            "track": where.track,
            "language": where.language,
            "interpreter_language": where.interpreter_language,
            "rule_id": where.rule_id,
            "reason": where.reason,
            "as_of": where.as_of,
        }
    )


def _blocked(decision: Decision) -> bytes:
    return orjson.dumps(
        [
            {
                "rule_id": blocked.rule.id,
                "level": blocked.rule.level,
                "by": [
                    {"guard": guard, "state": reading.state, "because": reading.because}
                    for guard, reading in blocked.by
                ],
            }
            for blocked in decision.blocked
        ]
    )
