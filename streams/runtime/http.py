"""The internal port of every role: ``/livez``, ``/readyz`` and ``/metrics``. Never expose it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a probe answers: whether all is well, and each part of why."""

    well: bool
    parts: dict[str, object]


Probe = Callable[[], Verdict]


def application(live: Probe, ready: Probe, registry: CollectorRegistry) -> web.Application:
    """Return what answers on the port; a role may add routes of its own before it is served.

    Both probes are asked before metrics are written, so that gauges they set are of this instant.
    """

    def probe(judge: Probe) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            verdict = judge()
            status = 200 if verdict.well else 503
            return web.json_response({"ok": verdict.well, **verdict.parts}, status=status)

        return answer

    async def exposition(_: web.Request) -> web.Response:
        live()
        ready()
        body = generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    made = web.Application()
    made.router.add_get("/livez", probe(live))
    made.router.add_get("/readyz", probe(ready))
    made.router.add_get("/metrics", exposition)
    return made


async def serve(made: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Serve until the runner is cleaned up; return it and the port bound.

    Raises:
        OSError: the port is taken.
    """
    runner = web.AppRunner(made, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound: int = runner.addresses[0][1]
    return runner, bound
