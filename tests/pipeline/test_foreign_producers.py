"""What producers that nobody here wrote send to real Kafka, and what a worker makes of it."""

from __future__ import annotations

import asyncio
import resource
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from streams.cli.latency import latencies
from tests.pipeline.foreign import (
    ORDERS,
    Transactional,
    configure,
    number_of,
    orders,
    send,
    send_bomb,
    send_with_header_name,
)
from tests.pipeline.stage import Stage, until
from tests.producers import TOPICS

pytestmark = pytest.mark.kafka

CODECS = ("gzip", "snappy", "lz4", "zstd")


def test_every_codec_of_a_producer_or_a_topic_is_read(stage: Stage) -> None:
    servers = stage.kafka.bootstrap_servers
    for codec in CODECS:
        send(servers, orders(40, f"sent-{codec}"), **{"compression.type": codec})
    for codec in CODECS:
        configure(servers, ORDERS, **{"compression.type": codec})
        send(servers, orders(40, f"stored-{codec}"))
    stage.worker("worker").start()
    stage.drain()

    assert stage.in_log() == 320
    assert stage.audit().findings == ()


def test_a_batch_that_holds_too_much_costs_no_memory_and_is_told(stage: Stage) -> None:
    servers = stage.kafka.bootstrap_servers
    with pytest.raises(MessageSizeTooLargeError):  # our topics: the broker decompresses it
        asyncio.run(send_bomb(servers, "gzip", 50_000_000, 0))

    configure(servers, ORDERS, **{"compression.type": "producer"})  # a topic of somebody else
    sizes = {"gzip": 300_000_000, "lz4": 200_000_000, "zstd": 300_000_000, "snappy": 20_000_000}
    for number, codec in enumerate(CODECS):
        asyncio.run(send_bomb(servers, codec, sizes[codec], number))
    worker = stage.worker("worker")
    worker.start(wait=False)
    resource.prlimit(worker.pid, resource.RLIMIT_DATA, (512 << 20, 512 << 20))
    by_partition = {number_of(order, 6): order for order in orders(60)}
    send(servers, by_partition.values())

    until(lambda: stage.in_log() == 6, 60, "every partition goes on")
    gaps = stage.query('SELECT topic, "partition", first_offset, reason FROM input_gap ORDER BY 2')
    assert gaps == [(ORDERS, number, 0, "too_large") for number in range(4)]
    peak = _peak_mib(worker.pid)
    assert peak < 300, f"{peak} MiB"
    assert worker.ready()
    assert f'icam_records_lost_total{{topic="{ORDERS}"}}' in worker.metrics()


def _peak_mib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [peak] = [line for line in lines if line.startswith("VmHWM")]
    return int(peak.split()[1]) // 1024


def test_a_codec_without_a_library_holds_its_partition_and_no_other(stage: Stage) -> None:
    servers = stage.kafka.bootstrap_servers
    worker = stage.worker("worker", Path(__file__).with_name("blunt_worker.py"))
    worker.start()
    configure(servers, ORDERS, **{"compression.type": "producer"})  # ours decompress on the broker
    send(servers, orders(20), **{"compression.type": "lz4"})
    until(lambda: stage.in_log() == 20, 20, "what can be read is read")
    [record] = orders(1, "held")
    send(servers, [record] * 30, **{"compression.type": "zstd"})
    until(lambda: not worker.ready(), 20, "the worker says that it can't read")

    held = worker.probe("readyz")[1]["partitions_held"]
    assert isinstance(held, dict)
    [(partition, reason)] = held.items()
    assert partition.startswith(f"{ORDERS}[")
    assert reason.startswith("UnsupportedCodecError at ")
    assert f'icam_partition_held{{partition="{partition}"}} 1.0' in worker.metrics()
    number = int(partition.removesuffix("]").rpartition("[")[2])
    others = [
        order for order in orders(60, "other") if number_of(order, stage.kafka.partitions) != number
    ]
    send(servers, others)
    until(lambda: stage.in_log() == 20 + len(others), 20, "other partitions are read")
    assert worker.probe("livez")[0] == 200

    worker.stop()
    stage.worker("able").start()
    stage.drain()
    assert stage.in_log() == 21 + len(others), "nothing was skipped"


def test_only_committed_records_are_facts_and_marks_are_no_records(stage: Stage) -> None:
    servers = stage.kafka.bootstrap_servers
    worker = stage.worker("worker", ICAM_HTTP__STUCK_SECONDS="3")
    worker.start()
    producer = Transactional(servers)
    producer.send(orders(10, "aborted"))
    producer.abort()
    producer.send(orders(10, "open"))
    send(servers, orders(10, "other"))
    exporter = stage.role("exporter", ICAM_EXPORTER__BACKLOG_SECONDS="1")
    exporter.start()
    assert not stage.query("SELECT 1 FROM case_event WHERE case_id ^@ 'aborted'")
    assert not stage.query("SELECT 1 FROM case_event WHERE case_id ^@ 'open'")

    producer.commit()
    stage.drain()
    assert stage.in_log() == 20
    assert not stage.query("SELECT 1 FROM case_event WHERE case_id ^@ 'aborted'")
    until(
        lambda: f'icam_records_behind{{topic="{ORDERS}"}} 0.0' in exporter.metrics(),
        10,
        "nothing is behind: what is left are marks of transactions",
    )
    until(lambda: worker.probe("livez")[1]["records_behind"] == 0, 5, "nothing is behind here")
    started = time.monotonic()
    latencies({"bootstrap.servers": servers}, TOPICS, datetime.now(UTC))
    assert time.monotonic() - started < 20, "it waits for no record that a mark would be"
    assert stage.audit().findings == ()


async def test_a_header_name_that_is_not_utf8_is_a_dead_letter(stage: Stage) -> None:
    worker = stage.worker("worker")
    worker.start()
    [bad, good] = orders(2)
    await send_with_header_name(stage.kafka.bootstrap_servers, bad, b"x-\xff\xfe", 0)
    send(stage.kafka.bootstrap_servers, [good])
    until(lambda: stage.in_log() == 1, 20, "the stream goes on")
    stage.drain()

    [(reason, detail, headers)] = stage.query("SELECT reason, detail, headers FROM dead_letter")
    assert (reason, detail) == ("envelope", "the name of a header is not UTF-8")
    assert headers[-1] == [b"x-\xff\xfe".hex(), ""]
    assert worker.ready()
    assert stage.audit().findings == ()
