"""Replaces the real modules by the stand-ins during a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from inspect import getmembers, iscoroutinefunction
from random import Random
from types import ModuleType
from typing import Any, Final
from unittest.mock import patch

import streams.store.cases
import streams.store.chains
import streams.store.clock
import streams.store.dead_letters
import streams.store.events
import streams.store.gaps
import streams.store.outbox
import streams.store.reference_tables
import streams.store.relay_lease
import streams.store.unit_of_work
from streams.casework import deadlines
from streams.intake import intake
from streams.worker import relay
from tests.schedules import store
from tests.schedules.store import (
    cases,
    chains,
    clock,
    dead_letters,
    events,
    gaps,
    outbox,
    reference_tables,
    relay_lease,
    unit_of_work,
)

STAND_INS: Final = (
    (streams.store.cases, cases),
    (streams.store.chains, chains),
    (streams.store.clock, clock),
    (streams.store.dead_letters, dead_letters),
    (streams.store.events, events),
    (streams.store.gaps, gaps),
    (streams.store.outbox, outbox),
    (streams.store.reference_tables, reference_tables),
    (streams.store.relay_lease, relay_lease),
    (streams.store.unit_of_work, unit_of_work),
)
"""Each module of the store with its stand-in."""


def operations(stand_in: ModuleType) -> dict[str, Callable[..., Any]]:
    """Return the operations that a stand-in module provides, by name."""
    return {
        name: function
        for name, function in getmembers(stand_in, iscoroutinefunction)
        if function.__module__.startswith(store.__name__) and not name.startswith("_")
    }


@contextmanager
def installed(
    dice: Random, producer: Callable[[dict[str, Any]], object], say: Callable[..., None]
) -> Iterator[None]:
    """Let the parts under test use the stand-ins, ``dice`` for jitter, and ``say`` as their log."""
    with ExitStack() as stack:
        for real, stand_in in STAND_INS:
            for name, function in operations(stand_in).items():
                stack.enter_context(patch.object(real, name, function))
        stack.enter_context(patch.object(relay, "Producer", producer))
        for module in (intake, deadlines):
            stack.enter_context(patch.object(module, "random", dice))
        for module in (intake, deadlines, relay):
            stack.enter_context(patch.object(module, "log", _Log(say)))
        yield


class _Log:
    """Writes the log lines of a part to the trace."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda event, **values: self._say(level, event, *map(str, values.values()))
