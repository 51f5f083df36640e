"""HTTP routes of the board: the page, the state (once or as a stream) and the runbooks."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from aiohttp import web

from streams.runtime.metrics import BoardMetrics
from streams.services.board.feed import Feed
from streams.services.board.pages import PageFacts
from streams.services.board.state import State
from streams.services.board.words import choose_language

MOST_CLIENTS: Final = 500
"""Maximum number of open streams, also bounded per address. Others get 503 with Retry-After."""
_RETRY_SECONDS: Final = 2
_SEND_TIMEOUT: Final = 30.0
"""Seconds for sending one message to a client before its connection is closed."""

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_NO_STORE: Final = {"Cache-Control": "no-store"}


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
    app.on_response_prepare.append(_secure)
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
        return _text(self._facts.page(_language(request)))

    async def file(self, request: web.Request) -> web.Response:
        found = self._facts.files.get(request.match_info["name"])
        if found is None or found.type == "text/html":
            raise web.HTTPNotFound
        headers = {"ETag": found.tag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == found.tag:
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=found.body, content_type=found.type, charset="utf-8", headers=headers
        )

    async def state(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._state.to_json(), content_type="application/json", headers=_NO_STORE
        )

    async def contents(self, request: web.Request) -> web.Response:
        return _text(self._facts.contents(_language(request)))

    async def runbook(self, request: web.Request) -> web.Response:
        found = self._facts.runbook(request.match_info["alert"], _language(request))
        if found is None:
            raise web.HTTPNotFound
        return _text(found)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send the current state and every following one. Each is complete, so skipping is safe."""
        address = request.remote
        if self._open.total() >= MOST_CLIENTS or self._open[address] >= self._streams_per_address:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "10"})
        response = web.StreamResponse(headers=_NO_STORE | {"X-Accel-Buffering": "no"})
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


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _language(request: web.Request) -> str:
    return choose_language(request.query.get("lang"), request.headers.get("Accept-Language"))


def _text(page: str) -> web.Response:
    headers = _NO_STORE | {"Vary": "Accept-Language"}
    return web.Response(text=page, content_type="text/html", headers=headers)
