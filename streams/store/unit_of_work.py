"""The two statements of a unit of work on locked cases: one reads and appends, one writes.

A record that comes alone is a unit of work of its own, and its statements in sequence are most of
what it costs and of the time that it takes. So what is read and written together is one statement
each. The locks are a statement before these: a statement sees what was committed before it began,
and what is read here must be as new as the locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from schemas.chain import Head
from schemas.codec import Decoded
from schemas.instants import rfc3339
from schemas.outcomes import EscalationRaised, EscalationWithdrawn
from streams.domain.case import Fact
from streams.store import dead_letters, escalations, events
from streams.store.cases import Saved
from streams.store.columns import Columns
from streams.store.dead_letters import OpenDeadLetter
from streams.store.escalations import Ledger
from streams.store.events import EventKey, Position
from streams.store.outbox import NOTHING_WRITTEN, OutboxEntry, Pending, Written
from streams.store.pool import Connection

_EVENT: Final = Columns(
    event_id="uuid",
    case_id="text",
    type="text",
    source="text",
    occurred_at="timestamptz",
    payload="json",
    digest="bytea",
    topic="text",
    partition="integer",
    offset="bigint",
    link="integer",
)
_PROJECTION: Final = Columns(
    case_id="text",
    digest="bytea",
    events="integer",
    order_id="text",
    status="text",
    office_id="text",
    track="text",
    route="text",
    routings="integer",
    level="smallint",
    blocked="json",
    next_check_at="timestamptz",
    next_reason="text",
    owner="text",
    ended_at="timestamptz",
    end_reason="text",
    endings="integer",
    reference_digest="text",
    links="integer",
    entries="integer",
    head="bytea",
)
_ESCALATION: Final = Columns(
    escalation_id="uuid",
    round="integer",
    case_id="text",
    order_id="text",
    rule_id="text",
    occasion="text",
    level="smallint",
    action="text",
    policy_version="text",
    policy_digest="text",
    office_id="text",
    track="text",
    message_id="uuid",
    event_ids="text",
    due_at="timestamptz",
    raised_at="timestamptz",
    addressed_to="text",
    reminder="integer",
    answer_by="timestamptz",
)

_ENTRY: Final = Columns(
    message_id="uuid",
    topic="text",
    key="text",
    headers="json",
    body="json",
    caused_at="timestamptz",
    link="integer",
)
_HANDLED: Final = Columns(topic="text", partition="integer", next_offset="bigint")

_MOST_OTHERS: Final = 100
"""Most positions of other entries that are read: with more, the relay reads them itself."""

# OFFSET 0 has the ledger read by case and then sorted, never by the index that is in order.
_LOAD: Final = f"""
    WITH added AS (
        INSERT INTO case_event (event_id, case_id, type, source, occurred_at, payload, digest,
                                topic, "partition", "offset", link)
        SELECT event_id, case_id, type, source, occurred_at, payload, digest, topic, "partition",
               "offset", link
        FROM {_EVENT.rows(2, "event")}
        ON CONFLICT DO NOTHING
        RETURNING event_id, source)
    SELECT clock_timestamp() AS now, (SELECT count(*) FROM publication) AS publications,
           log.*, ledger.*, letter.*, mine.*
    FROM (
        SELECT array_agg(event_id), array_agg(source) FROM added
    ) AS mine, (
        SELECT array_agg(case_id), array_agg(occurred_at), array_agg(event_id),
               array_agg(type), array_agg(payload::text), array_agg(source)
        FROM case_event WHERE case_id = any($1::text[])
    ) AS log, (
        SELECT array_agg(case_id), array_agg(withdrawn_at IS NULL), array_agg(escalation_id),
               array_agg(round), array_agg(rule_id), array_agg(level), array_agg(order_id),
               array_agg(office_id), array_agg(track), array_agg(policy_digest),
               array_agg(raised_at), array_agg(reminder)
        FROM (SELECT DISTINCT ON (escalation_id) * FROM (
                  SELECT * FROM escalation WHERE case_id = any($1::text[]) OFFSET 0) AS of_case
              ORDER BY escalation_id, round DESC) AS latest
    ) AS ledger, (
        SELECT array_agg(dead_letter_id), array_agg(topic), array_agg("partition"),
               array_agg("offset"), array_agg(reason), array_agg(to_json(case_ids)::text),
               array_agg(recorded_at)
        FROM ({dead_letters.OPEN_ON}) AS found
    ) AS letter
"""  # noqa: S608 - constants

# Nothing is joined, and whether an escalation stands is not asked with IS NULL: a plan that was
# made while the tables were small would read a whole index.
_SAVED: Final = """
    saved AS (
        INSERT INTO case_projection AS held (
            case_id, digest, events, order_id, status, office_id, track, route, routings,
            level, blocked, next_check_at, next_reason, owner, ended_at, end_reason, endings,
            reference_digest, links, entries, head, known_since, updated_at)
        SELECT case_id, digest, events, order_id, status, office_id, track,
            nullif(route, 'null')::json, routings, level, blocked, next_check_at,
            coalesce(next_reason, ''), owner, ended_at, end_reason, endings, reference_digest,
            links, entries, head, ${now}, ${now}
        FROM {rows}
        ON CONFLICT (case_id) DO UPDATE SET
            digest = excluded.digest, events = excluded.events, order_id = excluded.order_id,
            status = excluded.status, office_id = excluded.office_id, track = excluded.track,
            route = excluded.route, routings = excluded.routings, level = excluded.level,
            blocked = excluded.blocked, next_check_at = excluded.next_check_at,
            next_reason = excluded.next_reason, owner = excluded.owner,
            ended_at = excluded.ended_at, end_reason = excluded.end_reason,
            endings = excluded.endings, reference_digest = excluded.reference_digest,
            links = excluded.links, entries = excluded.entries, head = excluded.head,
            known_since = coalesce(held.known_since, excluded.known_since),
            updated_at = excluded.updated_at)"""
_WITHDRAWN: Final = """
    withdrawn AS (
        UPDATE escalation
        SET withdrawn_at = (${at}::timestamptz[])[array_position(${ids}::uuid[], escalation_id)],
            withdrawal = (${why}::text[])[array_position(${ids}, escalation_id)]::json
        WHERE escalation_id = any(${ids})
          AND round = (${rounds}::integer[])[array_position(${ids}, escalation_id)]
          AND coalesce(withdrawn_at, 'infinity') = 'infinity'
        RETURNING round)"""
_RAISED: Final = """
    raised AS (
        INSERT INTO escalation (escalation_id, round, case_id, order_id, rule_id, occasion,
                                level, action, policy_version, policy_digest, office_id, track,
                                message_id, event_ids, due_at, raised_at, addressed_to,
                                reminder, answer_by)
        SELECT escalation_id, round, case_id, order_id, rule_id, occasion, level, action,
               policy_version, policy_digest, office_id, track, message_id, event_ids::uuid[],
               due_at, raised_at, addressed_to, reminder, answer_by
        FROM {rows}{after})"""
_AFTER_WITHDRAWN: Final = " WHERE (SELECT count(*) FROM withdrawn) >= 0"
"""What is raised waits for what is withdrawn: of one escalation only one round may stand."""
_ADDED: Final = """
    added AS (
        INSERT INTO outbox (message_id, topic, key, headers, body, caused_at, link)
        SELECT message_id, topic, key, headers, body, caused_at, link
        FROM {rows} ORDER BY nth RETURNING position),
    waiting AS (INSERT INTO outbox_pending (position) SELECT position FROM added)"""
_ADVANCED: Final = """
    advanced AS (
        INSERT INTO input_position AS known (topic, "partition", next_offset)
        SELECT topic, "partition", next_offset FROM {rows}
        ON CONFLICT (topic, "partition") DO UPDATE SET next_offset = excluded.next_offset
        WHERE known.next_offset <> excluded.next_offset)"""
_POSITIONS: Final = """
    SELECT clock_timestamp(), ARRAY(SELECT position FROM added ORDER BY position),
           ARRAY(SELECT position FROM outbox_pending ORDER BY position LIMIT {most})"""


class _Parts(NamedTuple):
    """Which tables a unit of work writes to. Of a record alone it is seldom all of them, and each
    costs the server as much as a row, even if it gets none.
    """

    saved: bool
    withdrawn: bool
    raised: bool
    added: bool
    advanced: bool


@cache
def _statement(parts: _Parts) -> str:
    """Return the statement that writes these parts; its parameters are in their order."""
    number = 1
    written: list[str] = []
    if parts.saved:
        written.append(_SAVED.format(now=number, rows=_PROJECTION.rows(number + 1, "new")))
        number += 1 + len(_PROJECTION)
    if parts.withdrawn:
        ids, rounds, at, why = range(number, number + 4)
        written.append(_WITHDRAWN.format(ids=ids, rounds=rounds, at=at, why=why))
        number += 4
    if parts.raised:
        after = _AFTER_WITHDRAWN if parts.withdrawn else ""
        written.append(_RAISED.format(rows=_ESCALATION.rows(number, "new"), after=after))
        number += len(_ESCALATION)
    if parts.added:
        written.append(_ADDED.format(rows=_ENTRY.rows(number, "new")))
        number += len(_ENTRY)
    if parts.advanced:
        written.append(_ADVANCED.format(rows=_HANDLED.rows(number, "new")))
    found = _POSITIONS.format(most=_MOST_OTHERS + 1) if parts.added else " SELECT"
    return "WITH" + ",".join(written) + found


class Loaded(NamedTuple):
    """What a decision on locked cases rests on, as of one instant after the locks."""

    now: datetime
    """The instant, by the database's clock."""
    publications: int
    """How many versions and moves were published."""
    log: Mapping[str, Sequence[Fact]]
    """The events before those that were appended, in no particular order, by case."""
    unreadable: frozenset[str]
    """Cases with a stored event that can't be read; they are not in the log."""
    ledgers: Mapping[str, Ledger]
    letters: Sequence[OpenDeadLetter]
    """Open dead letters that name at least one of the cases."""
    added: frozenset[EventKey]
    """Events that were appended; the others are in the log already."""


async def load(
    conn: Connection,
    case_ids: Sequence[str],
    new: Iterable[tuple[Decoded, Position]],
    links: Mapping[str, int],
) -> Loaded:
    """Append new events of cases, and read what a decision on the cases needs; one statement.

    This transaction must have locked the cases. ``links`` are the numbers of the links that the
    events begin, by case.

    An event whose id its source has used already is skipped, even if its content differs; compare
    ``events.digests`` to detect that. Before migration 0017, so is one whose id another source has
    used; it has no digest then. Events are appended in the order of their keys: two workers that
    append the same ones don't deadlock.
    """
    row = await conn.fetchrow(_LOAD, case_ids, *_events(new, links))
    assert row is not None  # noqa: S101 - aggregates without groups give one row
    now, publications, *columns = row.values()
    log, ledger, letters, added = columns[:6], columns[6:18], columns[18:25], columns[25:]
    found, unreadable = events.readable(_rows(log))
    return Loaded(
        now,
        publications,
        found,
        unreadable,
        escalations.ledgers(_rows(ledger)),
        [
            dead_letters.open_letter((*rest, orjson.loads(named), recorded_at))
            for *rest, named, recorded_at in _rows(letters)
        ],
        frozenset(_rows(added)),
    )


def _events(new: Iterable[tuple[Decoded, Position]], links: Mapping[str, int]) -> list[str]:
    # By number: comparing UUIDs runs Python code of theirs.
    ordered = sorted(new, key=lambda pair: (pair[0].event_id.int, pair[0].source))
    return _EVENT.texts(
        (
            str(event.event_id),
            event.case_id,
            event.type,
            event.source,
            rfc3339(event.time),
            event.payload.decode(),
            _bytea(event.digest),
            position.topic,
            str(position.partition),
            str(position.offset),
            str(links[event.case_id]),
        )
        for event, position in ordered
    )


def _bytea(value: bytes) -> str:
    return rf"\x{value.hex()}"


def _time(value: datetime | None) -> str:
    return "" if value is None else rfc3339(value)


def _rows(columns: Sequence[Sequence[Any] | None]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of columns that were aggregated; an aggregate of no rows is null."""
    return zip(*[column or () for column in columns], strict=True)


class Change(NamedTuple):
    """What a unit of work writes."""

    now: datetime
    """The instant of the decisions."""
    projections: Sequence[Saved] = ()
    heads: Mapping[str, Head] = MappingProxyType({})
    """Heads of the chains of these cases, by case."""
    withdrawn: Sequence[EscalationWithdrawn] = ()
    raised: Sequence[tuple[UUID, EscalationRaised]] = ()
    """Escalations, each with the id of the message that raises it."""
    entries: Sequence[OutboxEntry] = ()
    handled: Mapping[tuple[str, int], int] = MappingProxyType({})
    """Offset after the last record that was handled, by topic and partition."""


async def write(conn: Connection, change: Change) -> Written:
    """Write what was decided; one statement. This transaction must have locked the cases.

    The evidence of an escalation is stored in the message that raises it only, in the outbox.
    Entries get their positions in the given order. Rows of partitions are written in a fixed order:
    a worker that lost its partitions meanwhile does not deadlock with their new owner.

    Raises:
        asyncpg.UniqueViolationError: an escalation stands already, or a message id exists: a case
            was decided without its lock, or twice.
    """
    entries, withdrawn = change.entries, change.withdrawn
    parts = _Parts(
        saved=bool(change.projections),
        withdrawn=bool(withdrawn),
        raised=bool(change.raised),
        added=bool(entries),
        advanced=bool(change.handled),
    )
    if not any(parts):
        return NOTHING_WRITTEN
    values: list[object] = []
    if parts.saved:
        values += change.now, *_projections(change)
    if parts.withdrawn:
        values += (
            [item.escalation_id for item in withdrawn],
            [item.round for item in withdrawn],
            [item.withdrawn_at for item in withdrawn],
            [_withdrawal(item) for item in withdrawn],
        )
    if parts.raised:
        values += _raised(change.raised)
    if parts.added:
        values += _entries(entries)
    if parts.advanced:
        values += _handled(change.handled)
    row = await conn.fetchrow(_statement(parts), *values)
    assert row is not None  # noqa: S101 - a query without a table gives one row
    if not parts.added:
        return NOTHING_WRITTEN
    now, positions, others = row
    pending = [
        Pending(
            position, entry, (now - entry.caused_at).total_seconds() if entry.caused_at else None
        )
        for position, entry in zip(positions, entries, strict=True)
    ]
    return Written(pending, frozenset(others) if len(others) <= _MOST_OTHERS else None)


def _projections(change: Change) -> list[str]:
    heads = change.heads
    return _PROJECTION.texts(
        (
            row.case_id,
            _bytea(row.digest),
            str(row.events),
            row.order_id or "",
            row.status,
            row.office_id or "",
            row.track or "",
            row.route.decode(),
            str(row.routings),
            str(row.level),
            row.blocked.decode(),
            _time(row.next_check_at),
            row.next_reason,
            row.owner,
            _time(row.ended_at),
            row.end_reason or "",
            str(row.endings),
            row.reference_digest,
            str(heads[row.case_id].links),
            str(heads[row.case_id].entries),
            _bytea(heads[row.case_id].hash),
        )
        for row in change.projections
    )


def _withdrawal(item: EscalationWithdrawn) -> str:
    return orjson.dumps({"reason": item.reason, "because": item.because}).decode()


def _raised(raised: Iterable[tuple[UUID, EscalationRaised]]) -> list[str]:
    return _ESCALATION.texts(
        (
            item.escalation_id,
            str(item.round),
            item.case_id,
            item.order_id,
            item.rule_id,
            item.occasion,
            str(item.level),
            item.action,
            item.policy_version,
            item.policy_digest,
            item.office_id,
            item.track,
            str(message_id),
            "{" + ",".join(item.evidence.event_ids) + "}",
            rfc3339(item.due_at),
            rfc3339(item.detected_at),
            item.addressed_to,
            str(item.reminder),
            _time(item.answer_by),
        )
        for message_id, item in raised
    )


def _entries(entries: Iterable[OutboxEntry]) -> list[str]:
    return _ENTRY.texts(
        (
            entry.message_id,
            entry.topic,
            entry.key,
            entry.stored_headers,
            entry.body.decode(),
            _time(entry.caused_at),
            str(entry.link),
        )
        for entry in entries
    )


def _handled(handled: Mapping[tuple[str, int], int]) -> list[str]:
    return _HANDLED.texts(
        (topic, str(number), str(handled[topic, number])) for topic, number in sorted(handled)
    )
