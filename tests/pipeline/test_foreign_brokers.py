"""What brokers that others run do to us: records deleted, topics made again, addresses moved."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Self

import pytest
from click.testing import CliRunner
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from schemas.outcomes import CASE_ROUTED_TOPIC
from streams.cli import main
from streams.embedded.kafka import KafkaNode
from streams.kafka import topics
from tests.conftest import QUICK_JAVA
from tests.pipeline.foreign import ORDERS, configure, number_of, orders, send
from tests.pipeline.stage import Stage, until
from tests.producers import TOPICS

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
        (ORDERS, number, 20, 23, "deleted"),
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


def test_partitions_that_are_added_are_read_within_half_a_minute(stage: Stage) -> None:
    servers = stage.kafka.bootstrap_servers
    worker = stage.worker("worker")
    worker.start()
    admin = AdminClient({"bootstrap.servers": servers})
    for future in admin.create_partitions([NewPartitions(ORDERS, 9)]).values():
        future.result(10)
    send(servers, orders(60), **{"topic.metadata.refresh.interval.ms": 1000})

    until(lambda: stage.in_log() == 60, 30, "all are read")
    assert worker.probe("readyz")[1]["partitions_assigned"] == (len(TOPICS) - 1) * 6 + 9
    assert worker.probe("readyz")[1]["partitions_expected"] == (len(TOPICS) - 1) * 6 + 9


def test_a_topic_that_is_made_again_is_read_from_its_beginning(stage: Stage) -> None:
    servers = stage.kafka.bootstrap_servers
    worker = stage.worker("worker")
    worker.start()
    [order] = orders(1, "broken")
    send(servers, [replace(order, value=b"{}")])
    stage.drain()
    assert stage.query("UPDATE dead_letter SET resolved_at = now(), resolution = 'discarded'"
                       ' RETURNING "offset"') == [(0,)]  # fmt: skip
    send(servers, orders(60, "before"))
    stage.drain()
    _make_again(stage, ORDERS)
    send(servers, [replace(order, value=b"[]")])
    # As many records as before: the positions of the old log are valid in the new one.
    send(servers, orders(120, "after"))
    until(lambda: stage.in_log() == 180, 30, "all are read")
    until(worker.ready, 30, "the worker is ready")
    assert worker.probe("readyz")[1]["partitions_fetched"] == len(TOPICS) * 6
    stage.drain()
    assert stage.query(
        'SELECT "offset" < 0, former_offset, resolution FROM dead_letter ORDER BY dead_letter_id'
    ) == [(True, 0, "discarded"), (False, None, None)], "the second one is not lost"


def _make_again(stage: Stage, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap_servers})
    for future in admin.delete_topics([topic]).values():
        future.result(10)
    until(lambda: _made(stage, topic), 10, "the topic is made again at once")


def _made(stage: Stage, topic: str) -> bool:
    try:
        return any(
            state.created for state in topics.ensure(stage.kafka, TOPICS) if state.name == topic
        )
    except topics.TopicsError:  # it still exists
        return False


def test_an_announcement_that_is_too_large_holds_back_its_own_case_only(stage: Stage) -> None:
    servers = stage.kafka.bootstrap_servers
    configure(servers, CASE_ROUTED_TOPIC, **{"max.message.bytes": "100000"})
    for size, key in ((200_000, "too-large-1"), (10, "too-large-1"), (2_000_000, "too-large-2")):
        stage.query(
            "WITH added AS (INSERT INTO outbox (message_id, topic, key, headers, body)"
            " VALUES (gen_random_uuid(), %s, %s, '[]', to_json(repeat('x', %s)))"
            " RETURNING position)"
            " INSERT INTO outbox_pending SELECT position FROM added RETURNING position",
            CASE_ROUTED_TOPIC,
            key,
            size,
        )
    worker = stage.worker("worker")
    worker.start()
    send(servers, orders(40))

    def pending() -> list[tuple[object, ...]]:
        return stage.query("SELECT key, count(*) FROM outbox JOIN outbox_pending USING (position)"
                           " GROUP BY 1 ORDER BY 1")  # fmt: skip

    until(lambda: stage.in_log() == 40, 20, "all are decided")
    until(lambda: pending() == [("too-large-1", 2), ("too-large-2", 1)], 20, "others go on")
    assert f'icam_announcements_refused{{topic="{CASE_ROUTED_TOPIC}"}} 2.0' in worker.metrics()
    assert worker.ready()
    log = worker.log.read_text()
    assert "announcement_refused" in log
    assert "broker_away" not in log


def test_topics_made_by_others_are_compared_and_changed_only_when_asked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = stage.kafka.bootstrap_servers
    for name, value in stage.environment.items():
        monkeypatch.setenv(name, value)
    icam = CliRunner()
    assert icam.invoke(main, ["topics"]).exit_code == 0, "ours are as we rely on"
    theirs = {
        "cleanup.policy": "compact",
        "retention.ms": "3600000",
        "max.message.bytes": "2000",
        "message.timestamp.type": "CreateTime",
        "min.insync.replicas": "2",
    }
    configure(servers, ORDERS, **theirs)
    configure(servers, CASE_ROUTED_TOPIC, **{"max.message.bytes": "4000000"})
    admin = AdminClient({"bootstrap.servers": servers})
    for future in admin.create_partitions([NewPartitions(ORDERS, 9)]).values():
        future.result(10)
    until(lambda: _partitions(admin, ORDERS) == 9, 10, "there are nine")

    shown = icam.invoke(main, ["topics", "--json"])
    assert shown.exit_code == 1
    differing = {
        (state["topic"], one["name"], one["found"], one["wanted"], one["can_apply"])
        for state in json.loads(shown.stdout)
        for one in state["differences"]
    }
    ours = {
        (ORDERS, "cleanup.policy", "compact", "delete", True),
        (ORDERS, "retention.ms", "3600000", str(30 * 86_400_000), True),
        (ORDERS, "max.message.bytes", "2000", "1048588", True),
        (ORDERS, "message.timestamp.type", "CreateTime", "LogAppendTime", True),
    }
    others = {(name, "partitions", "6", "9", False) for name in TOPICS if name != ORDERS}
    assert differing == ours | others
    doctor = icam.invoke(main, ["doctor", "--json"])
    assert doctor.exit_code == 1
    assert f"{ORDERS} has retention.ms 3600000 instead of 2592000000" in doctor.stdout
    assert icam.invoke(main, ["topics"]).exit_code == 1, "nothing was changed"

    applied = icam.invoke(main, ["topics", "--apply", "--json"])
    assert applied.exit_code == 1, "partitions need a person"
    left = [one["name"] for s in json.loads(applied.stdout) for one in s["differences"]]
    assert left == ["partitions"] * (len(TOPICS) - 1)
    until(lambda: not _config_differs(stage), 10, "the rest is as we rely on")


def _partitions(admin: AdminClient, topic: str) -> int:
    return len(admin.list_topics(topic, timeout=10).topics[topic].partitions)


def _config_differs(stage: Stage) -> bool:
    return any(
        one.can_apply for state in topics.compare(stage.kafka, TOPICS) for one in state.differences
    )


def test_brokers_that_come_back_under_other_addresses_are_found(tmp_path: Path) -> None:
    node = KafkaNode(tmp_path / "kafka", host="127.0.0.2", java_options=QUICK_JAVA)
    with Forwarder() as name, node, Stage(name.address(node.bootstrap_servers), tmp_path) as stage:
        worker = stage.worker("worker")
        worker.start()
        send(node.bootstrap_servers, orders(10, "before"))
        stage.drain()
        node.kill()
        node._host = "127.0.0.3"
        node.start()
        name.address(node.bootstrap_servers)
        send(node.bootstrap_servers, orders(10, "after"))
        until(lambda: stage.in_log() == 20, 30, "the worker found the brokers")
        until(worker.ready, 30, "and all is well")


class Forwarder:
    """The one name of the brokers, behind which they may move."""

    def __init__(self) -> None:
        self._target = ("", 0)
        self._listening = socket.create_server(("127.0.0.1", 0))

    def address(self, target: str) -> str:
        """Lead to other brokers from now on; return the address, which stays."""
        host, _, port = target.partition(":")
        self._target = host, int(port)
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._target, timeout=30)
            except OSError:
                if self._listening.fileno() < 0:
                    return
                near.close()
                continue
            for one, other in ((near, far), (far, near)):
                Thread(target=_copy, args=(one, other), daemon=True).start()


def _copy(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while chunk := one.recv(65536):
            other.sendall(chunk)
    for end in (one, other):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    one.close()
