"""Statements and round trips are counted as they are on the wire."""

from __future__ import annotations

import asyncio
import struct

import asyncpg
from psycopg.conninfo import conninfo_to_dict

from tests.bench.scenarios.singles import spoken
from tests.bench.wire import Conversation, Proxy, Traffic, Unit, traffic

STARTUP = struct.pack("!ii", 8, 196608)
SSL = struct.pack("!ii", 8, 80877103)


def frame(kind: str, body: bytes = b"") -> bytes:
    return kind.encode() + struct.pack("!i", 4 + len(body)) + body


def ready(status: bytes) -> bytes:
    return frame("C") + frame("Z", status)


def query(text: bytes) -> bytes:
    return frame("Q", text + b"\0")


def bound(name: bytes) -> bytes:
    rest = struct.pack("!hhh", 0, 0, 0)
    return frame("B", b"\0" + name + b"\0" + rest) + frame("E", b"\0" + b"\0" * 4) + frame("S")


def begun() -> Conversation:
    conversation = Conversation()
    conversation.sent(SSL)
    conversation.answered(b"N")
    conversation.sent(STARTUP)
    conversation.answered(frame("R") + ready(b"I"))
    return conversation


def test_transaction_is_one_unit_with_its_statements_and_turns() -> None:
    conversation = begun()
    for asked, status in (
        (query(b"BEGIN;"), b"T"),
        (frame("P", b"one\0INSERT INTO\n  case_event VALUES ($1)\0\0\0") + frame("H"), None),
        (bound(b"one"), b"T"),
        (query(b"COMMIT;"), b"I"),
    ):
        conversation.sent(asked)
        conversation.answered(ready(status) if status else frame("1"))

    assert conversation.units == [Unit(turns=4, statements=3, appends=True)]


def test_statement_prepared_earlier_is_known_by_its_name() -> None:
    conversation = begun()
    conversation.sent(frame("P", b"one\0insert into case_event values ($1)\0\0\0") + frame("S"))
    conversation.answered(ready(b"I"))
    conversation.sent(bound(b"one"))
    conversation.answered(ready(b"I"))

    assert [unit.appends for unit in conversation.units] == [False, True]
    assert traffic(conversation.units) == Traffic(statements=1, turns=2)


def test_pipeline_is_one_turn() -> None:
    conversation = begun()
    conversation.sent(query(b"BEGIN") + bound(b"a") + bound(b"b") + query(b"COMMIT"))
    conversation.answered(ready(b"T") + ready(b"T") + ready(b"T"))
    conversation.answered(ready(b"I"))

    assert conversation.units == [Unit(turns=1, statements=4)]


def test_frames_may_be_cut_anywhere() -> None:
    conversation = Conversation()
    for byte in STARTUP + query(b"SELECT 1"):
        conversation.sent(bytes([byte]))
    for byte in ready(b"I"):
        conversation.answered(bytes([byte]))

    assert conversation.units == [Unit(turns=1, statements=1)]


def test_what_is_said_without_any_record_is_subtracted_from_all_but_not_from_its_own() -> None:
    record, poll = Unit(turns=13, statements=13, appends=True), Unit(turns=1, statements=1)

    found = spoken([record, poll, poll, record], 2, idle=[poll], times_idle=2)

    assert (found.statements, found.round_trips) == (13, 13)
    assert (found.all_statements, found.all_round_trips) == (13, 13)


def test_proxy_counts_what_a_driver_says_to_a_server(database_url: str) -> None:
    to = conninfo_to_dict(database_url)

    async def talk(port: int) -> None:
        conn = await asyncpg.connect(
            host="127.0.0.1", port=port, user=str(to["user"]), database=str(to["dbname"])
        )
        async with conn.transaction():
            await conn.execute("CREATE TEMP TABLE case_event_copy (a integer)")
            await conn.execute("INSERT INTO case_event_copy VALUES (1)")
        await conn.close()

    with Proxy(str(to["host"]), int(to["port"] or 5432)) as proxy:
        asyncio.run(talk(proxy.port))
        (unit,) = proxy.units()
    assert (unit.statements, unit.turns, unit.appends) == (4, 4, False)
