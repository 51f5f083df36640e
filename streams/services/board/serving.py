"""What the board answers: the page, the state once or as a stream, the runbooks."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from streams.runtime.metrics import BoardMetrics
from streams.services.board.feed import Feed
from streams.services.board.pages import PageFacts
from streams.services.board.state import State
from streams.services.board.words import chosen

MOST_CLIENTS: Final = 500
"""Streams open at a time; who comes later is asked to come again."""
_RETRY_SECONDS: Final = 2
_PATIENCE: Final = 30.0
"""Seconds that one message may take to a client, before it is given up."""

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
    app: web.Application, facts: PageFacts, state: State, feed: Feed, metrics: BoardMetrics
) -> None:
    """Add the page's routes to an application, and its security headers to every answer."""
    serving = _Serving(facts, state, feed, metrics)
    app.on_response_prepare.append(_secure)
    app.on_shutdown.append(serving.let_go)
    app.router.add_get("/", serving.page)
    app.router.add_get("/page/{name}", serving.file)
    app.router.add_get("/state", serving.state)
    app.router.add_get("/stream", serving.stream)
    app.router.add_get("/runbooks/", serving.contents)
    app.router.add_get("/runbooks/{alert}", serving.runbook)


class _Serving:
    def __init__(self, facts: PageFacts, state: State, feed: Feed, metrics: BoardMetrics) -> None:
        self._facts = facts
        self._state = state
        self._feed = feed
        self._clients = metrics.clients
        self._open = 0

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
        """Send the state at once, and each that follows; a whole one, so none is ever missed."""
        if self._open >= MOST_CLIENTS:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "10"})
        answer = web.StreamResponse(headers=_NO_STORE | {"X-Accel-Buffering": "no"})
        answer.content_type = "text/event-stream"
        answer.charset = "utf-8"
        self._count(1)
        try:
            async with asyncio.timeout(_PATIENCE):
                await answer.prepare(request)
                await answer.write(f"retry: {_RETRY_SECONDS * 1000}\n\n".encode())
            version = 0
            while news := await self._feed.after(version):
                version, body = news
                async with asyncio.timeout(_PATIENCE):
                    await answer.write(b"id: %d\nevent: state\ndata: %s\n\n" % (version, body))
        except (ConnectionError, TimeoutError):
            pass  # it went away, or takes nothing any more
        finally:
            self._count(-1)
        return answer

    async def let_go(self, _: web.Application) -> None:
        self._feed.close()

    def _count(self, change: int) -> None:
        self._open += change
        self._clients.set(self._open)


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _language(request: web.Request) -> str:
    return chosen(request.query.get("lang"), request.headers.get("Accept-Language"))


def _text(page: str) -> web.Response:
    headers = _NO_STORE | {"Vary": "Accept-Language"}
    return web.Response(text=page, content_type="text/html", headers=headers)
