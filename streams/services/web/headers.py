"""Headers that let a page load and run its own files only."""

from __future__ import annotations

from typing import Final

from aiohttp import web

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
NO_STORE: Final = {"Cache-Control": "no-store"}


def secure(app: web.Application) -> None:
    """Add the headers to every response of an application, of errors too."""
    app.on_response_prepare.append(_add)


async def _add(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
