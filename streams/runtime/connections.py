"""Bound the connections of an internal port, so that one client can't keep out the others."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

_END_OF_HEAD: Final = b"\r\n\r\n"

Address: TypeAlias = str
"""An IP address, without the port."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections are open at once, and how long the head of a request may take."""

    most: int = 500
    per_address: int = 100
    head_seconds: float = 5.0
    """From the connection, or from the first byte of a further request."""


class Connections:
    """Count the open connections, and make room for a new one.

    At a limit the oldest connection that has not sent the head of a request is closed. If all have,
    the new one is closed. So half requests never keep out a whole one.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._open: dict[Address, dict[BoundedProtocol, None]] = defaultdict(dict)
        self._total = 0

    def __len__(self) -> int:
        return self._total

    def admit(self, new: BoundedProtocol) -> bool:
        """Add a connection if there is room for it, or if an unfinished one can be closed."""
        same = self._open[new.address]
        if len(same) >= self.limits.per_address:
            admitted = self._close_unfinished(same)
        elif self._total >= self.limits.most:
            crowded = max(self._open.values(), key=len)
            admitted = self._close_unfinished(crowded)
        else:
            admitted = True
        if admitted:
            self._open[new.address][new] = None
            self._total += 1
        elif not same:
            del self._open[new.address]
        return admitted

    def remove(self, closed: BoundedProtocol) -> None:
        """Forget a connection; one that was never admitted is ignored."""
        same = self._open.get(closed.address, {})
        if closed in same:
            del same[closed]
            self._total -= 1
        if not same:
            self._open.pop(closed.address, None)

    def _close_unfinished(self, same: dict[BoundedProtocol, None]) -> bool:
        oldest = next((one for one in same if one.unfinished), None)
        if oldest is None:
            return False
        self.remove(oldest)
        oldest.abort()
        return True


class BoundedProtocol(asyncio.Protocol):
    """Pass a connection on to the HTTP server while it keeps the limits; close it otherwise."""

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self.address: Address = ""
        self._inner = inner
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._admitted = False
        self._deadline: asyncio.TimerHandle | None = None
        self._tail = b""

    @property
    def unfinished(self) -> bool:
        """Whether the connection owes the rest of a request's head."""
        return self._deadline is not None

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self._transport = cast(asyncio.Transport, transport)
        self._admitted = self._connections.admit(self)
        if not self._admitted:
            self.abort()
            return
        self._expect_head()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._admitted:
            return
        *heads, rest = (self._tail + data).rsplit(_END_OF_HEAD, 1)
        if heads:
            self._cancel()
        if rest and self._deadline is None:
            self._expect_head()
        self._tail = rest[-len(_END_OF_HEAD) + 1 :]
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._admitted else None

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        self._connections.remove(self)
        if self._admitted:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def _expect_head(self) -> None:
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._connections.limits.head_seconds, self.abort)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def bounded(
    server: Callable[[], asyncio.Protocol], limits: Limits
) -> Callable[[], BoundedProtocol]:
    """Return a factory of protocols like that of ``server``, with its connections bounded."""
    connections = Connections(limits)
    return lambda: BoundedProtocol(server(), connections)
