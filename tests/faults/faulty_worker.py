"""A worker whose code raises or hangs on chosen events.

``ICAM_FAULTY_RAISES`` and ``ICAM_FAULTY_HANGS`` are event ids, separated by commas. It hangs for
``ICAM_FAULTY_SECONDS`` on each, inside the transaction, and only on the first attempt.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from streams.intake import intake
from streams.intake.batch import BatchResult
from streams.intake.batch import apply_batch as proper
from streams.intake.record import Accepted, DecodedRecord
from streams.runtime.settings import Settings
from streams.worker import app


def _named(variable: str) -> set[UUID]:
    return {UUID(name) for name in os.environ.get(variable, "").split(",") if name}


_RAISES, _HANGS = _named("ICAM_FAULTY_RAISES"), _named("ICAM_FAULTY_HANGS")
_SECONDS = float(os.environ.get("ICAM_FAULTY_SECONDS", "0"))


async def _faulty(
    conn: Any, items: Sequence[DecodedRecord], *rest: Any, **more: Any
) -> BatchResult:
    met = {item.event.event_id for item in items if isinstance(item, Accepted)}
    if met & _RAISES:
        raise KeyError("a mistake of ours", [item.record.value for item in items])
    for event_id in met & _HANGS:
        _HANGS.discard(event_id)
        await asyncio.sleep(_SECONDS)
    return await proper(conn, items, *rest, **more)


setattr(intake, "apply_batch", _faulty)  # noqa: B010 - for the type checker
sys.exit(app.run(Settings()))
