"""A worker whose first fetch with records is thrown away, as when a rebalance overtakes it."""

from __future__ import annotations

import sys
from typing import Any

from streams.runtime.settings import Settings
from streams.worker import app, transport

_proper = transport.LaneConsumer._getmany
_thrown_away = 0


async def _forgetful(self: Any, *args: Any, **named: Any) -> Any:
    global _thrown_away
    fetched = await _proper(self, *args, **named)
    if fetched and not _thrown_away:
        _thrown_away = sum(map(len, fetched.values()))
        print("thrown away:", _thrown_away, flush=True)
        await self.perform_seek()  # what Faust does with a fetch of an assignment that is gone
        return {}
    return fetched


setattr(transport.LaneConsumer, "_getmany", _forgetful)  # noqa: B010 - for the type checker
sys.exit(app.run(Settings()))
