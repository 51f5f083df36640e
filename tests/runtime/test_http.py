"""The internal port does not delay the end of its process."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CollectorRegistry

from streams.runtime.http import Verdict, application, serve


async def test_a_request_that_never_ends_does_not_delay_the_end() -> None:
    well = Verdict(True, {})
    app = application(lambda: well, lambda: well, CollectorRegistry())
    runner, port = await serve(app, "127.0.0.1", 0)
    _, half = await asyncio.open_connection("127.0.0.1", port)
    half.write(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhalf")
    await half.drain()
    await asyncio.sleep(0.1)

    started = time.monotonic()
    await runner.cleanup()

    assert time.monotonic() - started < 5
    half.close()
