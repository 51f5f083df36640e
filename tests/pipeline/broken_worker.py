"""A worker whose casework fails on every record, as after a broken deploy."""

from __future__ import annotations

import sys
from typing import Any

from streams.casework import unit_of_work
from streams.runtime.settings import Settings
from streams.worker import app


async def _broken(*_: Any, **__: Any) -> Any:
    raise KeyError("a mistake of ours")


setattr(unit_of_work, "reconsider", _broken)  # noqa: B010 - for the type checker
sys.exit(app.run(Settings()))
