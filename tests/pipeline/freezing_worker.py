"""A worker that freezes once: between the two steps of a statement, when it holds cases."""

from __future__ import annotations

import signal
import sys
from typing import Any, Final, cast

import asyncpg

from streams.runtime.settings import Settings
from streams.worker import app

_connection: Final = cast(Any, asyncpg.Connection)  # it has no public step for this
_describe: Final = _connection._get_statement
_left = ["INSERT INTO case_projection AS held"]
"""In what statement to freeze: it follows the locks, and has no type that is asked for first."""


async def _get_statement(self: Any, query: str, *args: Any, **named: Any) -> Any:
    found = await _describe(self, query, *args, **named)
    if _left and _left[0] in query:
        _left.clear()
        signal.raise_signal(signal.SIGSTOP)  # before the next step, not soon
    return found


_connection._get_statement = _get_statement
sys.exit(app.run(Settings()))
