"""HTTP routes of the board: the page, the state (once or as a stream) and the runbooks."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from aiohttp import web

from streams.runtime.metrics import BoardMetrics
from streams.services.board.pages import PageFacts
from streams.services.board.state import State
from streams.services.web.feed import Feed
from streams.services.web.files import send_file
from streams.services.web.headers import NO_STORE, secure
from streams.services.web.words import language_of

MOST_CLIENTS: Final = 500
"""Maximum number of open streams, also bounded per address. Others get 503 with Retry-After."""
_RETRY_SECONDS: Final = 2
_SEND_TIMEOUT: Final = 30.0
"""Seconds for sending one message to a client before its connection is closed."""


def add_page(
    app: web.Application,
    facts: PageFacts,
    state: State,
    feed: Feed,
    metrics: BoardMetrics,
    streams_per_address: int = MOST_CLIENTS,
) -> None:
    """Add the routes of the page, and security headers to every response."""
    handlers = _Handlers(facts, state, feed, metrics, streams_per_address)
    secure(app)
    app.on_shutdown.append(handlers.close_streams)
    app.router.add_get("/", handlers.page)
    app.router.add_get("/page/{name}", handlers.file)
    app.router.add_get("/state", handlers.state)
    app.router.add_get("/stream", handlers.stream)
    app.router.add_get("/runbooks/", handlers.contents)
    app.router.add_get("/runbooks/{alert}", handlers.runbook)


class _Handlers:
    def __init__(
        self,
        facts: PageFacts,
        state: State,
        feed: Feed,
        metrics: BoardMetrics,
        streams_per_address: int,
    ) -> None:
        self._facts = facts
        self._state = state
        self._feed = feed
        self._clients = metrics.clients
        self._streams_per_address = streams_per_address
        self._open = Counter[str | None]()

    async def page(self, request: web.Request) -> web.Response:
        return _text(self._facts.page(language_of(request)))

    async def file(self, request: web.Request) -> web.Response:
        return send_file(request, self._facts.files)

    async def state(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._state.to_json(), content_type="application/json", headers=NO_STORE
        )

    async def contents(self, request: web.Request) -> web.Response:
        return _text(self._facts.contents(language_of(request)))

    async def runbook(self, request: web.Request) -> web.Response:
        found = self._facts.runbook(request.match_info["alert"], language_of(request))
        if found is None:
            raise web.HTTPNotFound
        return _text(found)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send the current state and every following one. Each is complete, so skipping is safe."""
        address = request.remote
        if self._open.total() >= MOST_CLIENTS or self._open[address] >= self._streams_per_address:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "10"})
        response = web.StreamResponse(headers=NO_STORE | {"X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        response.charset = "utf-8"
        self._count(address, 1)
        try:
            async with asyncio.timeout(_SEND_TIMEOUT):
                await response.prepare(request)
                await response.write(f"retry: {_RETRY_SECONDS * 1000}\n\n".encode())
            version = 0
            while update := await self._feed.after(version):
                version, body = update
                async with asyncio.timeout(_SEND_TIMEOUT):
                    await response.write(b"id: %d\nevent: state\ndata: %s\n\n" % (version, body))
        except (ConnectionError, TimeoutError):
            pass  # the client disconnected or stopped reading
        finally:
            self._count(address, -1)
        return response

    async def close_streams(self, _: web.Application) -> None:
        self._feed.close()

    def _count(self, address: str | None, change: int) -> None:
        self._open[address] += change
        if not self._open[address]:
            del self._open[address]
        self._clients.set(self._open.total())


def _text(page: str) -> web.Response:
    headers = NO_STORE | {"Vary": "Accept-Language"}
    return web.Response(text=page, content_type="text/html", headers=headers)
