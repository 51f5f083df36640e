"""What brokers that others run do to us: records deleted, topics made again, addresses moved."""

from __future__ import annotations

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.pipeline.foreign import ORDERS, number_of, orders, send
from tests.pipeline.stage import Stage, until

pytestmark = pytest.mark.kafka


def test_records_that_are_gone_before_they_are_read_are_told_of(stage: Stage) -> None:
    servers = stage.kafka.bootstrap_servers
    first = stage.worker("first")
    first.start()
    [order] = orders(1)
    send(servers, [order] * 5)
    stage.drain()
    assert first.stop() == 0
    number = number_of(order, stage.kafka.partitions)
    send(servers, [order] * 15)
    _delete_before(servers, number, 12)

    exporter = stage.role("exporter", ICAM_EXPORTER__BACKLOG_SECONDS="1")
    exporter.start(wait=False)
    second = stage.worker("second")
    second.start()
    stage.drain()

    assert _gaps(stage) == [(ORDERS, number, 5, 12, "deleted")]
    assert f'icam_records_lost_total{{topic="{ORDERS}"}} 7.0' in second.metrics()
    until(
        lambda: f'icam_records_never_seen{{topic="{ORDERS}"}} 7.0' in exporter.metrics(), 20, "told"
    )
    [finding] = stage.audit().findings
    assert (finding.check, finding.reference) == ("log", f"{ORDERS}[{number}]@5")
    assert finding.detail == "offsets 5 to 11 were never seen: deleted"
    assert second.stop() == 0

    # The group loses its offsets, and the log begins after what was handled.
    send(servers, [order] * 5)
    _delete_before(servers, number, 23)
    _forget_group(stage)
    third = stage.worker("third")
    third.start()
    stage.drain()
    assert _gaps(stage) == [
        (ORDERS, number, 5, 12, "deleted"),
        (ORDERS, number, 20, 23, "not_committed"),
    ]


def _gaps(stage: Stage) -> list[tuple[object, ...]]:
    return stage.query(
        'SELECT topic, "partition", first_offset, next_offset, reason FROM input_gap'
        " ORDER BY first_offset"
    )


def _delete_before(servers: str, number: int, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": servers})
    for future in admin.delete_records([TopicPartition(ORDERS, number, offset)]).values():
        future.result(10)


def _forget_group(stage: Stage) -> None:
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap_servers})
    for future in admin.delete_consumer_groups([stage.kafka.group]).values():
        future.result(10)
