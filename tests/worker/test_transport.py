"""What our delivery takes from Faust's insides is still what it was written against.

When this fails after an upgrade of Faust: read what changed in the methods named, see whether
``streams/worker/transport.py`` still keeps its promises, run ``tests/pipeline`` on real Kafka, and
only then write the new digests here.
"""

from __future__ import annotations

import inspect
from hashlib import sha256
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from faust.transport import consumer as base
from faust.transport.drivers import aiokafka as driver

from streams.worker import transport

OVERRIDDEN = {
    (driver.AIOKafkaConsumerThread, "_create_worker_consumer"): "c2701bfc3e6f",
    (driver.AIOKafkaConsumerThread, "seek_to_committed"): "775ab0adc4b0",
    (driver.Consumer, "_new_consumer_thread"): "0870ec53dea7",
    (driver.Consumer, "verify_event_path"): "a17e8f0610e1",
    (base.Consumer, "_drain_messages"): "44a2500309e8",
    (base.Consumer, "_filter_tps_with_pending_acks"): "f6f923977423",
    (base.Consumer, "_new_offset"): "1d2c7ea89a7a",
    (base.Consumer, "_commit_offsets"): "1a6979904118",
    (base.Consumer, "on_partitions_revoked"): "d04b7ae72c6f",
}
RELIED_ON = {
    (AIOKafkaConsumer, "seek_to_committed"): "f6cd85c8b70a",
    (AIOKafkaConsumer, "seek_to_beginning"): "231229deedd7",
    (driver.AIOKafkaConsumerThread, "getmany"): "26fc5fc9f3b6",
    (driver.AIOKafkaConsumerThread, "_fetch_records"): "39a2c6c79fc1",
    (base.Fetcher, "_fetcher"): "68f894f0b577",
    (base.Consumer, "_getmany"): "fea4952545b4",
    (base.Consumer, "_get_active_partitions"): "b24897f3c7af",
    (base.Consumer, "perform_seek"): "0e8c130ff4b0",
    (base.Consumer, "stop_flow"): "cf7e875a2b0d",
    (base.Consumer, "resume_flow"): "db59630f25b5",
    (base.Consumer, "on_partitions_assigned"): "29ce96596f05",
    (base.Consumer, "commit"): "a354437baaa0",
    (base.Consumer, "force_commit"): "cc094614d22c",
    (base.Consumer, "_commit_tps"): "a20e230b05ae",
    (base.Consumer, "_filter_committable_offsets"): "dc5e9baf5d99",
    (base.Consumer, "_should_commit"): "5ce941793947",
}


@pytest.mark.parametrize(
    ("method", "digest"),
    (OVERRIDDEN | RELIED_ON).items(),
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_faust_is_still_as_it_was(method: tuple[type[Any], str], digest: str) -> None:
    owner, name = method
    found = getattr(owner, name)
    source = inspect.getsource(inspect.unwrap(getattr(found, "fun", found)))
    assert sha256(source.encode()).hexdigest()[:12] == digest, f"{owner.__name__}.{name} changed"


def test_nothing_is_overridden_that_is_not_watched() -> None:
    ours = {
        name
        for made in (transport._Thread, transport.StockConsumer, transport.LaneConsumer)
        for name in vars(made)
        if any(hasattr(parent, name) for parent in made.__mro__[1:-1]) and not name.startswith("__")
    }
    by_mode_itself = {"_abc_impl", "abstract", "logger", "log"}
    assert ours - by_mode_itself == {name for _, name in OVERRIDDEN}
