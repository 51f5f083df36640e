"""A worker whose casework fails on every record, as after a broken deploy."""

from __future__ import annotations

import sys
from typing import Any

from streams import app, casework
from streams.settings import Settings


async def _broken(*_: Any, **__: Any) -> Any:
    raise KeyError("a mistake of ours")


setattr(casework, "reconsider", _broken)  # noqa: B010 - for the type checker
sys.exit(app.run(Settings()))
