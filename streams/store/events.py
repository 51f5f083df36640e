"""Event log of all cases, in one table that also serves as inbox and deduplicates events.

Errors::

    UnreadableEvent(event_id)   a stored payload no longer fits its type
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import orjson
from pydantic import ValidationError

from schemas.codec import READERS
from schemas.events import EVENT_TYPES
from streams.domain.case import Fact
from streams.domain.replay import Recorded
from streams.store.pool import Connection


class UnreadableEvent(Exception):
    """A stored payload, valid when appended, no longer fits its type; named by its event id only.

    Return to the version that stored it, or write a migration that converts it.
    """

    def __init__(self, event_id: UUID) -> None:
        super().__init__(f"event {event_id} in case_event no longer fits its type")
        self.event_id = event_id


class Position(NamedTuple):
    """Position of a record on Kafka."""

    topic: str
    partition: int
    offset: int


EventKey: TypeAlias = tuple[UUID, str]
"""Id and source of an event, which are unique together."""


async def log(conn: Connection, case_ids: Sequence[str]) -> dict[str, list[Fact]]:
    """Return all events of these cases, in no particular order; cases without events are left out.

    Raises:
        UnreadableEvent: a stored payload, valid when appended, no longer fits its type.
    """
    return _facts(
        await conn.fetch(
            """
            SELECT case_id, occurred_at, event_id, type, payload::text, source
            FROM case_event WHERE case_id = any($1::text[])
            """,
            case_ids,
        )
    )


async def recorded_by(conn: Connection, case_id: str, at: datetime) -> list[Fact]:
    """Return the events of a case that were recorded up to ``at``, in no particular order.

    Raises:
        UnreadableEvent: as ``log``.
    """
    rows = await conn.fetch(
        """
        SELECT case_id, occurred_at, event_id, type, payload::text, source
        FROM case_event WHERE case_id = $1 AND recorded_at <= $2
        """,
        case_id,
        at,
    )
    return _facts(rows).get(case_id, [])


class Unreadable(NamedTuple):
    """An event of the log whose payload no longer fits its type."""

    event_id: UUID
    case_id: str
    source: str
    position: Position
    payload: bytes


async def unreadable(conn: Connection, case_ids: Sequence[str]) -> list[Unreadable]:
    """Return the events of these cases that raise ``UnreadableEvent``."""
    rows = await conn.fetch(
        """
        SELECT event_id, case_id, source, topic, "partition", "offset", occurred_at, type,
               payload::text AS payload
        FROM case_event WHERE case_id = any($1::text[]) ORDER BY event_id
        """,
        case_ids,
    )
    found = []
    for event_id, case_id, source, *place, occurred_at, type_, payload in rows:
        try:
            _facts([(case_id, occurred_at, event_id, type_, payload, source)])
        except UnreadableEvent:
            position = Position(*place)
            found.append(Unreadable(event_id, case_id, source, position, payload.encode()))
    return found


async def log_between(
    conn: Connection, first: str, after: str | None
) -> tuple[dict[str, list[Fact]], frozenset[str]]:
    """Return all events of the cases from ``first`` up to but excluding ``after``.

    ``after`` None means no upper limit. Cases with an event that can't be read are left out, and
    returned as well.
    """
    rows = await conn.fetch(
        """
        SELECT case_id, occurred_at, event_id, type, payload::text, source
        FROM case_event WHERE case_id >= $1 AND ($2::text IS NULL OR case_id < $2)
        """,
        first,
        after,
    )
    return readable(rows)


async def extent(conn: Connection) -> tuple[datetime | None, int]:
    """Return when the last event was recorded, and how many there are; None without any."""
    row = await conn.fetchrow("SELECT max(recorded_at), count(*) FROM case_event")
    return (row[0], row[1]) if row else (None, 0)


async def last_recorded(conn: Connection) -> datetime | None:
    """Return when the last event was recorded; None without any.

    Looks at the last day first: an index leads there, and to no other place without a scan.
    """
    found: datetime | None = await conn.fetchval(
        """
        SELECT coalesce(
            (SELECT max(recorded_at) FROM case_event WHERE recorded_at >= now() - interval '1 day'),
            (SELECT max(recorded_at) FROM case_event)
        )
        """
    )
    return found


async def count_until(conn: Connection, until: datetime) -> int:
    """Return how many events were recorded up to an instant."""
    found: int = await conn.fetchval(
        "SELECT count(*) FROM case_event WHERE recorded_at <= $1", until
    )
    return found


async def recorded_between(
    conn: Connection, first: str, after: str | None, until: datetime
) -> tuple[dict[str, list[Recorded]], frozenset[str]]:
    """Return what was recorded up to ``until`` of the cases from ``first`` up to ``after``.

    By case, oldest first; the events of one transaction are together. Cases with an event that
    can't be read are left out, and returned as well.
    """
    rows = await conn.fetch(
        """
        SELECT case_id, occurred_at, event_id, type, payload::text, source, recorded_at, link
        FROM case_event
        WHERE case_id >= $1 AND ($2::text IS NULL OR case_id < $2) AND recorded_at <= $3
        """,
        first,
        after,
        until,
    )
    found: dict[str, list[tuple[datetime, int | None, Fact]]] = {}
    unreadable_cases: set[str] = set()
    for case_id, occurred_at, event_id, type_, payload, source, recorded_at, link in rows:
        try:
            fact = _fact(occurred_at, event_id, type_, payload, source)
        except UnreadableEvent:
            unreadable_cases.add(case_id)
        else:
            found.setdefault(case_id, []).append((recorded_at, link, fact))
    return {
        case_id: _by_transaction(of_case)
        for case_id, of_case in found.items()
        if case_id not in unreadable_cases
    }, frozenset(unreadable_cases)


_TOGETHER: Final = timedelta(seconds=1)
"""Events of one link that were recorded within this time are of one transaction. A worker gives
those of an earlier version one link, whenever they were recorded."""


def _by_transaction(rows: list[tuple[datetime, int | None, Fact]]) -> list[Recorded]:
    rows.sort(key=lambda row: (row[0], row[2].event_id.int))
    found: list[Recorded] = []
    facts: list[Fact] = []
    last: tuple[datetime, int | None] | None = None
    for at, link, fact in rows:
        if last is not None and not (
            at == last[0] or (link is not None and link == last[1] and at - last[0] <= _TOGETHER)
        ):
            found.append(Recorded(last[0], facts))
            facts = []
        facts.append(fact)
        last = (at, link)
    if last is not None:
        found.append(Recorded(last[0], facts))
    return found


async def readable_log(
    conn: Connection, case_ids: Sequence[str]
) -> tuple[dict[str, list[Fact]], frozenset[str]]:
    """Return all events of these cases. Cases with an event that can't be read are left out.

    They are returned as well.
    """
    return readable(
        await conn.fetch(
            """
            SELECT case_id, occurred_at, event_id, type, payload::text, source
            FROM case_event WHERE case_id = any($1::text[])
            """,
            case_ids,
        )
    )


def readable(stored: Iterable[Any]) -> tuple[dict[str, list[Fact]], frozenset[str]]:
    """Return the facts of rows, by case, and the cases with an event that can't be read.

    A row is the case, the time, id, type, payload and source of an event.
    """
    rows = list(stored)
    try:
        return _facts(rows), frozenset()
    except UnreadableEvent:
        by_case: dict[str, list[Any]] = {}
        for row in rows:
            by_case.setdefault(row[0], []).append(row)
    found: dict[str, list[Fact]] = {}
    unreadable_cases = set()
    for case_id, of_case in by_case.items():
        try:
            found |= _facts(of_case)
        except UnreadableEvent:
            unreadable_cases.add(case_id)
    return found, frozenset(unreadable_cases)


def _facts(rows: Iterable[Any]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = {}
    for case_id, *stored in rows:
        found.setdefault(case_id, []).append(_fact(*stored))
    return found


def _fact(occurred_at: datetime, event_id: UUID, type_: str, payload: str, source: str) -> Fact:
    try:
        event = READERS[type_](payload) or EVENT_TYPES[type_].read_json(payload)
    except (KeyError, ValidationError):
        raise UnreadableEvent(event_id) from None
    return Fact(occurred_at, event_id, event, source)


async def digests(conn: Connection, keys: Iterable[EventKey]) -> dict[EventKey, bytes]:
    """Return the digests of these events; events not in the log are left out."""
    wanted = set(keys)
    rows = await conn.fetch(
        "SELECT event_id, source, digest FROM case_event WHERE event_id = any($1::uuid[])",
        [event_id for event_id, _ in wanted],
    )
    found = {(event_id, source): digest for event_id, source, digest in rows}
    return {key: digest for key, digest in found.items() if key in wanted}


async def contents(conn: Connection, keys: Iterable[EventKey]) -> dict[EventKey, tuple[str, Fact]]:
    """Return case and fact of these events; those not in the log or not readable are left out."""
    wanted = set(keys)
    rows = await conn.fetch(
        """
        SELECT case_id, occurred_at, event_id, type, payload::text, source
        FROM case_event WHERE event_id = any($1::uuid[])
        """,
        [event_id for event_id, _ in wanted],
    )
    found = {}
    for row in rows:
        key = row["event_id"], row["source"]
        if key in wanted:
            with suppress(UnreadableEvent):
                [(case_id, (fact,))] = _facts([row]).items()
                found[key] = case_id, fact
    return found


async def has_content(conn: Connection, case_id: str, source: str, digest: bytes) -> bool:
    """Return whether the log has an event of this source with this content, under whatever id."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM case_event WHERE case_id = $1 AND source = $2 AND digest = $3)",
        case_id,
        source,
        digest,
    )
    return found


async def history(conn: Connection, case_id: str) -> list[dict[str, Any]]:
    """Return the log of one case for display, oldest event first."""
    rows = await conn.fetch(
        """
        SELECT event_id, type, source, occurred_at, recorded_at, payload::text AS payload,
               topic, "partition", "offset"
        FROM case_event WHERE case_id = $1 ORDER BY occurred_at, event_id
        """,
        case_id,
    )
    return [{**row, "payload": orjson.loads(row["payload"])} for row in rows]
