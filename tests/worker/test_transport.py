"""Faust and aiokafka are still what our delivery was written against.

When this fails after an upgrade: read what changed in the file, check that
``streams/worker/transport.py`` still keeps its promises, run ``tests/pipeline`` on real Kafka, and
only then write the new digest here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aiokafka import client as connecting
from aiokafka.consumer import consumer as client
from aiokafka.consumer import fetcher
from aiokafka.record import default_records
from faust.transport import consumer as base
from faust.transport.drivers import aiokafka as driver

from streams.worker import fetching, transport

WATCHED = {
    base.__name__: "ea232dca6b71",
    driver.__name__: "aed1bce0b0d9",
    client.__name__: "24f84531f97f",
    connecting.__name__: "d20532ad5b41",
    fetcher.__name__: "d7ee9eeb185c",
    default_records.__name__: "26e0d095e7d6",
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
        fetching.Client,
        fetching.Consumer,
        fetching.LaneFetcher,
        fetching._Records,
    ],
)
def test_nothing_is_overridden_in_a_file_that_is_not_watched(made: type[Any]) -> None:
    ours = {name: module for name, module in overridden(made) if not name.startswith("__")}
    assert ours, "it overrides nothing"
    assert set(ours.values()) <= set(WATCHED)
