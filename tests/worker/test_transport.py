"""Faust and aiokafka are still what our delivery was written against.

When this fails after an upgrade: read what changed in the file, check that
``streams/worker/transport.py`` still keeps its promises, run ``tests/pipeline`` on real Kafka, and
only then write the new digest here.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aiokafka import client as connecting
from aiokafka import codec
from aiokafka.consumer import consumer as client
from aiokafka.consumer import fetcher
from aiokafka.record import default_records, legacy_records
from faust.tables import manager
from faust.tables import recovery as recovering
from faust.transport import consumer as base
from faust.transport.drivers import aiokafka as driver

from streams.worker import brokers, fetching, records, recovery, transport

WATCHED = {
    base.__name__: "ea232dca6b71",
    driver.__name__: "aed1bce0b0d9",
    client.__name__: "24f84531f97f",
    connecting.__name__: "d20532ad5b41",
    fetcher.__name__: "d7ee9eeb185c",
    default_records.__name__: "26e0d095e7d6",
    legacy_records.__name__: "f8b52a9aa269",
    codec.__name__: "12a1cbf0e829",
    manager.__name__: "528448a72514",
    recovering.__name__: "e6cada29f7af",
}
"""The files whose methods are overridden or relied on."""


@pytest.mark.parametrize("module", WATCHED)
def test_the_library_is_unchanged(module: str) -> None:
    source = Path(str(sys.modules[module].__file__)).read_bytes()
    assert sha256(source).hexdigest()[:12] == WATCHED[module], f"{module} changed"


def overridden(made: type[Any]) -> Iterator[tuple[str, str]]:
    """Yield each attribute that a class of ours overrides, with the module that defined it."""
    for name in vars(made):
        for parent in made.__mro__[1:-1]:
            if name in vars(parent):
                yield name, parent.__module__
                break


@pytest.mark.parametrize(
    "made",
    [
        transport.ConsumerThread,
        transport.LaneConsumer,
        transport.LaneTransport,
        recovery.Recovery,
        recovery.TableManager,
        brokers.Client,
        fetching.Consumer,
        fetching.LaneFetcher,
        records.Records,
    ],
)
def test_nothing_is_overridden_in_a_file_that_is_not_watched(made: type[Any]) -> None:
    ours = {name: module for name, module in overridden(made) if not name.startswith("__")}
    assert ours, "it overrides nothing"
    assert set(ours.values()) <= set(WATCHED)


async def test_a_client_that_does_not_stop_leaves_its_group_and_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "_STOP_SECONDS", 0.05)
    monkeypatch.setattr(transport, "_LEAVE_SECONDS", 0.05)
    for answers in (True, False):
        client_ = _Stuck(answers)
        thread = transport.ConsumerThread.__new__(transport.ConsumerThread)
        thread._method_queue, thread._consumer = None, client_

        async with asyncio.timeout(5):
            await thread.on_thread_stop()

        assert client_.asked_to_leave == 1


async def test_a_client_that_stops_is_waited_for() -> None:
    client_ = _Stuck(answers=True)
    client_.rebalanced.set()
    thread = transport.ConsumerThread.__new__(transport.ConsumerThread)
    thread._method_queue, thread._consumer = None, client_

    await thread.on_thread_stop()

    assert (client_.stopped, client_.asked_to_leave) == (True, 0)


class _Stuck:
    """A client whose rebalance does not end, with brokers that answer or do not."""

    def __init__(self, answers: bool) -> None:
        self.rebalanced, self.stopped, self.asked_to_leave = asyncio.Event(), False, 0
        self._answers = answers
        self._coordinator = self

    async def stop(self) -> None:
        await self.rebalanced.wait()
        self.stopped = True

    async def maybe_leave_group(self) -> None:
        self.asked_to_leave += 1
        if not self._answers:
            await asyncio.Event().wait()
