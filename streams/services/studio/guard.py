"""Answer only the person who has the printed address, and only on this machine.

A page of somebody else in the same browser can send requests here. It has no token, it is not of
this origin, and a name of its own that resolves to this machine (DNS rebinding) is refused.
"""

from __future__ import annotations

import hmac
import secrets
from ipaddress import ip_address
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_OPEN: Final = ("/", "/page/")
"""The page itself, which holds no data, and its files."""
_SAFE: Final = frozenset({"GET", "HEAD"})
_TRUSTED_SITES: Final = frozenset({"same-origin", "none"})
"""``none``: typed by the person, or opened from the terminal."""


class NotLoopback(Exception):
    """The address is not one of this machine alone."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} is no loopback address: the studio shows cases, so it listens on 127.0.0.1 "
            "or ::1 only; from another machine use ssh -L"
        )


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(32)


def expect_loopback(host: str) -> None:
    """Refuse an address that other machines reach.

    Raises:
        NotLoopback: it is none of this machine alone, or a name, which may resolve to any address.
    """
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NotLoopback(host)


def origin_of(host: str, port: int) -> str:
    """Return the origin of the page at an address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def guarded(token: str) -> Middleware:
    """Return a middleware that refuses everybody else."""
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        _check_origin(request)
        if not _is_open(request.path):
            given = request.headers.get("Authorization", "").encode()
            if not hmac.compare_digest(given, expected):
                raise web.HTTPUnauthorized(
                    text="open the address that icam studio printed\n",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        return await handler(request)

    return check


def _is_open(path: str) -> bool:
    page, files = _OPEN
    return path == page or path.startswith(files)


def _check_origin(request: web.Request) -> None:
    """Refuse another name than that of this server, and requests of other pages."""
    host = request.headers.getall("Host", ())
    if len(host) != 1 or host[0].lower() not in _names(request):
        raise web.HTTPMisdirectedRequest(text="open the address that icam studio printed\n")
    origin = request.headers.get("Origin")
    if origin is None:
        own = request.method in _SAFE
    else:
        own = origin.lower() == f"http://{host[0].lower()}"
    if not own or request.headers.get("Sec-Fetch-Site", "none") not in _TRUSTED_SITES:
        raise web.HTTPForbidden(text="this request is of another page\n")


def _names(request: web.Request) -> frozenset[str]:
    """Return the names by which this server may be addressed."""
    bound = request.transport.get_extra_info("sockname") if request.transport is not None else None
    if bound is None:
        return frozenset()
    port = bound[1]
    return frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))
