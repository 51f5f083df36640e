"""What the roles beside the worker share: JSON logs, an orderly stop, a port meanwhile."""

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
from streams.runtime.http import serve

log = structlog.get_logger(__name__)


def run(work: Coroutine[Any, Any, None], log_level: str) -> int:
    """Do the work until told to stop (SIGTERM, SIGINT); return the exit code. Blocks.

    Being told cancels the work. A call that it left in a thread is waited for.

    Raises:
        Exception: what the work raised.
    """
    dictConfig(logs.configure(log_level))
    with suppress(asyncio.CancelledError):
        asyncio.run(_until_told(work))
    return 0


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task


async def run_with_http(
    work: Coroutine[Any, Any, None], made: web.Application, host: str, port: int
) -> None:
    """Do the work with the internal port open.

    Raises:
        OSError: the port is taken.
        Exception: what the work raised.
    """
    try:
        runner, bound = await serve(made, host, port)
    except BaseException:
        work.close()
        raise
    log.info("internal_port", port=bound)
    try:
        await work
    finally:
        await runner.cleanup()
