"""The internal port of every role: ``/livez``, ``/readyz`` and ``/metrics``. Never expose it.

It answers to the host names of the settings only: a page of somebody else whose name resolves to
this machine (DNS rebinding) reads nothing. Its connections are bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from streams.runtime.connections import Limits, bounded

_PATIENCE: Final = 2.0
"""Seconds that requests under way get at the end; aiohttp waits for a minute."""
_KEEP_ALIVE: Final = 20.0
"""Seconds that a connection without a request stays open; longer than Prometheus waits."""
_LOCAL: Final = frozenset({"localhost"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a probe: whether the process is well, and the parts that decide it."""

    well: bool
    parts: dict[str, object]


Probe = Callable[[], Verdict]


def application(
    live: Probe, ready: Probe, registry: CollectorRegistry, hosts: Collection[str] = ()
) -> web.Application:
    """Return the application of the internal port; a role may add its own routes to it.

    Both probes run before metrics are written, so gauges that they set are current. ``hosts`` are
    the names by which it may be addressed, besides localhost and IP addresses.
    """

    def probe(check: Probe) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            verdict = check()
            status = 200 if verdict.well else 503
            return web.json_response({"ok": verdict.well, **verdict.parts}, status=status)

        return answer

    async def exposition(_: web.Request) -> web.Response:
        live()
        ready()
        body = generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(middlewares=[_only_for(_LOCAL | {name.lower() for name in hosts})])
    app.router.add_get("/livez", probe(live))
    app.router.add_get("/readyz", probe(ready))
    app.router.add_get("/metrics", exposition)
    return app


def _only_for(names: Collection[str]) -> Middleware:
    """Refuse requests that a browser addressed to another name, with 421."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not all(_is_ours(host, names) for host in request.headers.getall("Host", ())):
            raise web.HTTPMisdirectedRequest(
                text="this name is not in ICAM_ALLOWED_HOSTS: see docs/deploy.md\n"
            )
        return await handler(request)

    return check


def _is_ours(host: str, names: Collection[str]) -> bool:
    """Whether a Host header names us. An IP address does: it can't be made to resolve elsewhere."""
    name = host.strip().lower()
    if not name.endswith("]"):
        name = name.rpartition(":")[0] or name
    name = name.removesuffix(".")
    if name in names:
        return True
    try:
        ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
    except ValueError:
        return False
    return True


class Runner(web.AppRunner):
    """Run an application on one port, with bounds on its connections."""

    _listening: asyncio.Server | None = None

    async def listen(self, host: str, port: int, limits: Limits) -> int:
        """Accept connections; return the bound port.

        Raises:
            OSError: the port is in use.
        """
        if self.server is None:
            raise RuntimeError("call setup first")
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(
            bounded(self.server, limits), host, port, backlog=512
        )
        bound: int = self._listening.sockets[0].getsockname()[1]
        return bound

    async def cleanup(self) -> None:
        """Accept no more connections, then end those that are open."""
        if self._listening is not None:
            self._listening.close()
        await super().cleanup()


async def serve(
    app: web.Application, host: str, port: int, limits: Limits | None = None
) -> tuple[Runner, int]:
    """Serve until the runner is cleaned up; return the runner and the bound port.

    Raises:
        OSError: the port is in use.
    """
    runner = Runner(app, access_log=None, shutdown_timeout=_PATIENCE, keepalive_timeout=_KEEP_ALIVE)
    await runner.setup()
    try:
        return runner, await runner.listen(host, port, limits or Limits())
    except BaseException:
        await runner.cleanup()
        raise
