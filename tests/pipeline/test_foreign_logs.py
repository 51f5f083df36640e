"""What brokers that others run do to a log: made again, cut short, damaged, its group moved."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.embedded.kafka import KafkaNode
from streams.kafka import topics
from tests.pipeline.foreign import ORDERS, number_of, orders, send
from tests.pipeline.stage import Stage, until

pytestmark = pytest.mark.kafka


def test_a_topic_made_again_at_once_with_as_many_records_is_noticed(stage: Stage) -> None:
    servers = stage.kafka.bootstrap_servers
    worker = stage.worker("watching")
    worker.start()
    send(servers, orders(60, "before"))
    stage.drain()
    [before] = _topic_ids(stage)
    _make_again(stage)
    send(servers, orders(60, "after"))
    until(lambda: stage.in_log() == 120, 30, "all are read")
    stage.drain()
    [after] = _topic_ids(stage)
    assert before != after
    assert _gaps(stage) == [], "nothing was unread"
    assert stage.audit().findings == ()
    assert worker.stop() == 0

    # Again while no worker runs, and with records that nobody read.
    send(servers, orders(6, "unread"))
    _make_again(stage)
    send(servers, orders(60, "last"))
    second = stage.worker("second")
    second.start()
    until(lambda: stage.in_log() == 180, 30, "all are read")
    stage.drain()
    lost = _gaps(stage)
    assert {(topic, reason) for topic, _, _, _, reason in lost} == {(ORDERS, "topic_replaced")}
    assert [(first + 1) for _, _, first, _, _ in lost] == [after for _, _, _, after, _ in lost]
    assert [number for _, number, *_ in lost] == list(range(6)), "one for each partition"
    findings = stage.audit().findings
    assert len(findings) == 6
    assert all("topic_replaced" in finding.detail for finding in findings)


def test_damaged_and_shortened_logs_and_moved_groups_are_told(
    stage: Stage, kafka_node: KafkaNode | None
) -> None:
    if kafka_node is None:
        pytest.skip("the broker named in the environment is not ours to damage")
    servers = stage.kafka.bootstrap_servers
    by_partition = {number_of(order, 6): order for order in orders(60)}
    order, elsewhere = by_partition[3], by_partition[4]
    log = kafka_node.directory / "data" / f"{ORDERS}-3" / f"{0:020}.log"
    worker = stage.worker("first")
    worker.start()
    send(servers, [order] * 5)
    stage.drain()
    assert worker.stop() == 0

    # Somebody moves the group past records that nobody read: they are read all the same.
    skipped = [one for one in orders(60, "skipped") if number_of(one, 6) == 3][:4]
    send(servers, skipped)
    assert _moved(stage, 3, 9)
    worker = stage.worker("second")
    worker.start()
    until(lambda: stage.in_log() == 5, 30, "what the group was moved past is read")
    assert _gaps(stage) == []
    assert "partition_reread" in worker.log.read_text()
    assert worker.stop() == 0

    # The broker loses the end of its log, which was read before.
    kafka_node.stop()
    _cut(log, 5)
    kafka_node.start()
    worker = stage.worker("third")
    worker.start()
    until(lambda: _gaps(stage) == [(ORDERS, 3, 5, 9, "truncated")], 30, "the loss is noticed")
    send(servers, [one for one in orders(60, "after") if number_of(one, 6) == 3][:1])
    until(lambda: stage.in_log() == 6, 30, "what comes after is read")
    stage.drain()
    details = {finding.detail for finding in stage.audit().findings}
    assert details == {"offsets 5 to 8 were never seen: truncated"}
    assert worker.stop() == 0

    # A batch is damaged on the disk: its partition waits, the others go on.
    send(servers, [order] * 5)
    send(servers, [one for one in orders(60, "readable") if number_of(one, 6) == 3][:2])
    kafka_node.stop()
    _damage(log, 6)
    kafka_node.start()
    worker = stage.worker("fourth")
    worker.start(wait=False)
    send(servers, [elsewhere])
    until(lambda: stage.in_log() == 7, 30, "another partition is read")
    held = f"{ORDERS}[3]"
    until(lambda: held in str(worker.probe("readyz")[1].get("partitions_held")), 30, "it is held")
    assert f'icam_partition_held{{partition="{held}"}} 1.0' in worker.metrics()
    assert stage.in_log() == 7
    worker.kill()
    until(lambda: _moved(stage, 3, 11), 30, "the group is moved past the damaged batch")
    worker = stage.worker("fifth")
    worker.start()
    until(lambda: stage.in_log() == 9, 30, "what follows is read")
    stage.drain()
    assert _gaps(stage)[1:] == [(ORDERS, 3, 6, 11, "skipped")]
    assert "offsets 6 to 10 were never seen: skipped" in {f.detail for f in stage.audit().findings}


def _moved(stage: Stage, partition: int, offset: int) -> bool:
    """Move the group; return False while a member that was killed counts as one."""
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap_servers})
    moved = ConsumerGroupTopicPartitions(
        stage.kafka.group, [TopicPartition(ORDERS, partition, offset)]
    )
    try:
        done = admin.alter_consumer_group_offsets([moved])[stage.kafka.group].result(10)
    except KafkaException:
        return False
    return done.topic_partitions[0].error is None


def _batches(log: Path) -> list[tuple[int, int, int]]:
    """Return first offset, first byte and byte after each batch of a segment."""
    raw, at, found = log.read_bytes(), 0, []
    while at + 12 <= len(raw):
        offset, length = struct.unpack_from(">qi", raw, at)
        if not length:
            break
        found.append((offset, at, at + 12 + length))
        at += 12 + length
    return found


def _damage(log: Path, offset: int) -> None:
    """Change the last byte of the batch that begins at an offset."""
    [end] = [end for first, _, end in _batches(log) if first == offset]
    with log.open("r+b") as file:
        file.seek(end - 1)
        file.write(b"\xff")


def _cut(log: Path, offset: int) -> None:
    """Remove the batches from an offset on."""
    [start] = [start for first, start, _ in _batches(log) if first == offset]
    with log.open("r+b") as file:
        file.truncate(start)


def _topic_ids(stage: Stage) -> set[object]:
    return {
        row[0]
        for row in stage.query("SELECT topic_id FROM input_position WHERE topic = %s", ORDERS)
    }


def _gaps(stage: Stage) -> list[tuple[str, int, int, int, str]]:
    found = stage.query(
        'SELECT topic, "partition", first_offset, next_offset, reason FROM input_gap'
        ' ORDER BY "partition", first_offset'
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in found]


def _make_again(stage: Stage) -> None:
    """Delete the topic and create it as soon as the broker accepts it: some milliseconds later."""
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap_servers})
    admin.delete_topics([ORDERS])[ORDERS].result(10)
    made = NewTopic(ORDERS, stage.kafka.partitions, 1, config=topics.wanted(ORDERS, 1))
    admin.create_topics([made])[ORDERS].result(10)
