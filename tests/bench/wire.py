"""Counts statements and round trips on the wire between a program and PostgreSQL.

A proxy passes every byte on and reads the frames of the protocol (version 3). A statement is a
simple query or the execution of a prepared one. A round trip is a turn: the program sends after the
server answered, whether it sent one message or, in a pipeline, many. What belongs together is a
unit: from the first message while no transaction is open to the answer after which none is open
again.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, NamedTuple, Self

_SSL, _CANCEL, _GSS = 80877103, 80877102, 80877104
_CHUNK: Final = 1 << 16
_APPENDS: Final = re.compile(rb"\binsert\s+into\s+case_event\b", re.IGNORECASE)


@dataclass
class Unit:
    """One transaction, or one statement outside of any."""

    turns: int = 0
    statements: int = 0
    appends: bool = False
    """Whether it adds to the log of cases."""


class Traffic(NamedTuple):
    """How much was said."""

    statements: int
    turns: int


@dataclass
class Conversation:
    """Reads what one connection says, in both directions."""

    units: list[Unit] = field(default_factory=list)
    """Those that are finished."""
    _open: Unit | None = None
    _texts: dict[bytes, bytes] = field(default_factory=dict)
    _asked: bytearray = field(default_factory=bytearray)
    _told: bytearray = field(default_factory=bytearray)
    _begun: bool = False
    _bare: int = 0
    """Answers of one byte that are still to come."""
    _unanswered: int = 0
    _client_spoke: bool = False

    def sent(self, data: bytes) -> None:
        """Take bytes of the program."""
        self._asked += data
        while not self._begun:
            if len(self._asked) < 8:
                return
            size = int.from_bytes(self._asked[:4], "big")
            if len(self._asked) < size:
                return
            code = int.from_bytes(self._asked[4:8], "big")
            del self._asked[:size]
            if code in (_SSL, _GSS):
                self._bare += 1
            elif code != _CANCEL:
                self._begun = True
        for kind, body in _frames(self._asked):
            self._ask(kind, body)

    def answered(self, data: bytes) -> None:
        """Take bytes of the server."""
        self._told += data
        while self._bare and self._told:
            del self._told[0]
            self._bare -= 1
        if not self._begun:
            return
        for kind, body in _frames(self._told):
            self._client_spoke = False
            if kind != b"Z":
                continue
            self._unanswered -= 1
            if body == b"I" and self._unanswered <= 0:
                self._unanswered = 0
                if self._open is not None:
                    self.units.append(self._open)
                self._open = None

    def _ask(self, kind: bytes, body: bytes) -> None:
        if kind in (b"p", b"X"):  # a password, or the end
            return
        unit = self._open = self._open or Unit()
        if not self._client_spoke:
            unit.turns += 1
            self._client_spoke = True
        if kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self._texts[name] = text
        elif kind == b"B":
            _, name, _ = body.split(b"\0", 2)
            self._read(unit, self._texts.get(name, b""))
        elif kind == b"E":
            unit.statements += 1
        elif kind == b"Q":
            unit.statements += 1
            self._read(unit, body)
        if kind in (b"S", b"Q"):
            self._unanswered += 1

    @staticmethod
    def _read(unit: Unit, text: bytes) -> None:
        unit.appends = unit.appends or _APPENDS.search(text) is not None


def _frames(waiting: bytearray) -> Iterator[tuple[bytes, bytes]]:
    """Take the complete frames off the front, as type and body."""
    while len(waiting) >= 5:
        size = int.from_bytes(waiting[1:5], "big")
        if len(waiting) < 1 + size:
            return
        kind, body = bytes(waiting[:1]), bytes(waiting[5 : 1 + size])
        del waiting[: 1 + size]
        yield kind, body


class Proxy:
    """Listens on a free local port and passes everything on to a server."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._units: list[Unit] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._listening: asyncio.Server | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result(10)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def units(self) -> list[Unit]:
        """Return what is finished so far, over all connections, in order."""
        return list(self._units)

    async def _end(self) -> None:
        if self._listening is not None:
            self._listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(self._units)
        their_reader, their_writer = await asyncio.open_connection(*self._to)

        async def up() -> None:
            while data := await reader.read(_CHUNK):
                conversation.sent(data)
                their_writer.write(data)
                await their_writer.drain()
            their_writer.write_eof()

        async def down() -> None:
            while data := await their_reader.read(_CHUNK):
                conversation.answered(data)
                writer.write(data)
                await writer.drain()
            writer.write_eof()  # a driver that ends waits for the server to hang up

        try:
            # Cancelled only at our own end; asyncio would log it as an error.
            with suppress(ConnectionError, asyncio.CancelledError):
                await asyncio.gather(up(), down())
        finally:
            for one in (writer, their_writer):
                one.close()


def traffic(units: list[Unit]) -> Traffic:
    """Return the statements and turns of units."""
    return Traffic(sum(u.statements for u in units), sum(u.turns for u in units))
