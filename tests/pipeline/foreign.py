"""Records as other people's producers send them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from aiokafka.record.default_records import DefaultRecordBase
from aiokafka.record.util import calc_crc32c
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource

from schemas.codec import Outgoing, encode
from tests.domain import given

ORDERS: Final = "icam.oqt-issued.v1"


def number_of(record: Outgoing, partitions: int) -> int:
    """Return the number of the partition that a record goes to."""
    return int((murmur2(record.key) & 0x7FFFFFFF) % partitions)


def orders(count: int, prefix: str = "case") -> list[Outgoing]:
    """Return the first event of each of so many cases."""
    now = datetime.now(UTC)
    return [
        encode(
            given.order(notified_at=now).event,
            event_id=uuid4(),
            case_id=f"{prefix}-{number:05}",
            source="/test",
            time=now,
        )
        for number in range(count)
    ]


def send(servers: str, records: Iterable[Outgoing], **config: Any) -> None:
    """Send records with a producer of this configuration, and wait until all are acknowledged."""
    placed = {"partitioner": "murmur2_random", "linger.ms": 50}
    producer = Producer({"bootstrap.servers": servers, **placed, **config})
    _queue(producer, records)
    assert producer.flush(20) == 0


class Transactional:
    """A transactional producer."""

    def __init__(self, servers: str) -> None:
        self._producer = Producer(
            {"bootstrap.servers": servers, "transactional.id": f"t-{uuid4().hex}", "log_level": 2}
        )
        self._producer.init_transactions(30)

    def send(self, records: Iterable[Outgoing]) -> None:
        """Begin a transaction and write its records to the log; neither commit nor abort."""
        self._producer.begin_transaction()
        _queue(self._producer, records)
        assert self._producer.flush(20) == 0

    def commit(self) -> None:
        self._producer.commit_transaction(20)

    def abort(self) -> None:
        self._producer.abort_transaction(20)


async def send_with_header_name(servers: str, record: Outgoing, name: bytes, number: int) -> None:
    """Send a record with one more header, whose name is these bytes, to a partition."""
    placeholder = "z" * len(name)
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        batch = producer.create_batch()
        headers = [*record.headers, (placeholder, b"")]
        batch.append(timestamp=None, key=record.key, value=record.value, headers=headers)
        raw = bytearray(batch._build())
        at = raw.rindex(placeholder.encode())
        raw[at : at + len(name)] = name
        crc = calc_crc32c(bytes(raw[DefaultRecordBase.ATTRIBUTES_OFFSET :]))
        struct.pack_into(">I", raw, DefaultRecordBase.CRC_OFFSET, crc)
        batch._buffer = raw
        await (await producer.send_batch(batch, record.topic, partition=number))


async def send_bomb(servers: str, codec: str, size: int, number: int, topic: str = ORDERS) -> None:
    """Send a small batch to a partition that holds this many bytes when it is decompressed."""
    record, most = bytes(900_000), 2 * size
    async with AIOKafkaProducer(
        bootstrap_servers=servers,
        compression_type=codec,
        max_batch_size=most,
        max_request_size=most,
        request_timeout_ms=60_000,
    ) as producer:
        batch = producer.create_batch()
        for _ in range(size // len(record) + 1):
            assert batch.append(timestamp=None, key=b"k", value=record) is not None
        await (await producer.send_batch(batch, topic, partition=number))


def configure(servers: str, topic: str, **config: str) -> None:
    """Set properties of a topic."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in config.items()
    ]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": servers})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)


def _queue(producer: Producer, records: Iterable[Outgoing]) -> None:
    for record in records:
        producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
