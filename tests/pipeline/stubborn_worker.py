"""A worker whose shutdown never ends, and that has a moment only to end; it fails when told to.

``ICAM_STUBBORN_FAILS`` has it fail by itself once it is open.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from streams.runtime.settings import Settings
from streams.worker import app, process


async def _never(_: Any) -> None:
    await asyncio.sleep(3600)


async def _fail(*_: Any) -> None:
    raise KeyError("a mistake of ours")


setattr(app.IcamApp, "on_stop", _never)  # noqa: B010 - for the type checker
setattr(process, "GRACE_SECONDS", 1.0)  # noqa: B010
setattr(app, "_PORT_PATIENCE", 2)  # noqa: B010
if "ICAM_STUBBORN_FAILS" in os.environ:
    setattr(app, "probe_database", _fail)  # noqa: B010
sys.exit(app.run(Settings()))
