"""Shared runtime of exporter, canary and board: logging, graceful shutdown, internal port."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from logging.config import dictConfig
from typing import Any

import structlog
from aiohttp import web

from streams.runtime import logs
from streams.runtime.connections import Limits
from streams.runtime.http import serve

log = structlog.get_logger(__name__)


def run(work: Coroutine[Any, Any, None], log_level: str) -> int:
    """Run the work until SIGTERM or SIGINT; return the exit code. Blocks.

    The signal cancels the work, and a call that the work left in a thread is waited for.

    Raises:
        Exception: the work's own error.
    """
    dictConfig(logs.configure(log_level))
    with suppress(asyncio.CancelledError):
        asyncio.run(_until_signalled(work))
    return 0


async def _until_signalled(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task


async def run_with_http(
    work: Coroutine[Any, Any, None],
    app: web.Application,
    host: str,
    port: int,
    limits: Limits | None = None,
) -> None:
    """Run the work with the internal port open.

    Raises:
        OSError: the port is in use.
        Exception: the work's own error.
    """
    try:
        runner, bound = await serve(app, host, port, limits)
    except BaseException:
        work.close()
        raise
    log.info("internal_port", port=bound)
    try:
        await work
    finally:
        await runner.cleanup()
