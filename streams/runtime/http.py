"""The internal port of every role: ``/livez``, ``/readyz`` and ``/metrics``. Never expose it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

_PATIENCE: Final = 2.0
"""Seconds that requests under way get at the end; aiohttp waits for a minute."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a probe: whether the process is well, and the parts that decide it."""

    well: bool
    parts: dict[str, object]


Probe = Callable[[], Verdict]


def application(live: Probe, ready: Probe, registry: CollectorRegistry) -> web.Application:
    """Return the application of the internal port; a role may add its own routes to it.

    Both probes run before metrics are written, so gauges that they set are current.
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

    app = web.Application()
    app.router.add_get("/livez", probe(live))
    app.router.add_get("/readyz", probe(ready))
    app.router.add_get("/metrics", exposition)
    return app


async def serve(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Serve until the runner is cleaned up; return the runner and the bound port.

    Raises:
        OSError: the port is in use.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_PATIENCE)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound: int = runner.addresses[0][1]
    return runner, bound
