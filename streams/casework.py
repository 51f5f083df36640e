"""The one unit of work: look at cases again and announce the difference.

Events, late events, repaired events, deadlines, new offices and new policies all end here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from schemas.envelope import Envelope, write
from schemas.outcomes import (
    OUTCOME_TYPES,
    EscalationRaised,
    EscalationWithdrawn,
    Outcome,
    RouteRef,
    Track,
)
from schemas.types import Language
from streams.domain.case import Fact, fold
from streams.domain.decide import Announced, Decision, Message, decide
from streams.reference import Reference
from streams.store import cases, dead_letters, escalations, facts, outbox
from streams.store.pool import Connection

SOURCE: Final = "/icam/streams"
_TYPE_OF: Final = {model: (name, topic) for name, (topic, model) in OUTCOME_TYPES.items()}
_NOTHING: Final = escalations.Ledger((), {})


async def reconsider(
    conn: Connection,
    new: Mapping[str, Sequence[Fact]],
    touched: Iterable[str],
    reference: Reference,
    now: datetime,
) -> tuple[Outcome, ...]:
    """Take in new facts, decide every case named, and write down what follows.

    Returns what was announced, in order. Runs inside the caller's transaction and commits nothing.
    Done twice with the same facts it announces nothing the second time.

    1. Lock the cases in case-id order, new ones included.
    2. Read what stands and what is missing, now that nobody else can change it.
    3. Fold and decide, case by case, without I/O.
    4. Write projections, ledger and outbox, a statement each.
    """
    named = {*new, *touched}
    if not named:
        return ()
    rows = await cases.lock(conn, named)
    ordered = [row.case_id for row in rows]
    ledgers = await escalations.ledger(conn, ordered)
    open_letters = await dead_letters.open_by_case(conn, ordered)

    saved: list[cases.Saved] = []
    messages: list[tuple[str, Message]] = []
    for row in rows:
        fresh = new.get(row.case_id, ())
        case = fold(facts.load(row.case_id, row.facts), fresh)
        ledger = ledgers.get(row.case_id, _NOTHING)
        decision = decide(
            case,
            Announced(
                route=_route_ref(row.route),
                routings=row.routings,
                standing=ledger.standing,
                rounds=ledger.rounds,
                open_dead_letters=open_letters.get(row.case_id, 0),
            ),
            reference.policy,
            reference.directory,
            reference.calendar,
            now,
        )
        messages += [(row.case_id, message) for message in decision.messages]
        where = decision.route
        saved.append(
            cases.Saved(
                case_id=row.case_id,
                facts=facts.dump(case),
                digest=facts.digest(case),
                events=row.events + len(fresh),
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
        )

    await cases.save(conn, saved, now)
    outcomes = [message.outcome for _, message in messages]
    entries = [_entry(case_id, message, now) for case_id, message in messages]
    if withdrawn := [o for o in outcomes if isinstance(o, EscalationWithdrawn)]:
        await escalations.withdraw(conn, withdrawn)
    raised = [
        entry.body
        for entry, outcome in zip(entries, outcomes, strict=True)
        if isinstance(outcome, EscalationRaised)
    ]
    if raised:
        await escalations.raise_(conn, raised)
    if entries:
        await outbox.put(conn, entries)
    return tuple(outcomes)


def _entry(case_id: str, message: Message, now: datetime) -> outbox.Entry:
    name, topic = _TYPE_OF[type(message.outcome)]
    envelope = Envelope.model_construct(
        id=message.message_id, source=SOURCE, type=name, time=now, subject=case_id
    )
    return outbox.Entry(
        message.message_id,
        topic,
        case_id,
        tuple(write(envelope)),
        message.outcome.model_dump_json().encode(),
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
