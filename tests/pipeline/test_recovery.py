"""After a backup was restored, what deploy/runbooks/IcamOffsetsAhead.md says brings all back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition

from streams.simulate.publishing import Planned
from tests.pipeline.histories import history
from tests.pipeline.stage import Stage

pytestmark = pytest.mark.kafka


def test_going_back_to_the_first_record_missing_brings_all_back(stage: Stage) -> None:
    planned = history(scale=0.2, malformed=0.02)
    half = len(planned) // 2
    _work(stage, "before", planned[:half])
    with _elsewhere(stage) as conn:
        conn.execute("CREATE DATABASE backup TEMPLATE postgres")
    _work(stage, "after", planned[half:])
    whole = stage.in_log()
    with _elsewhere(stage) as conn:
        conn.execute("ALTER DATABASE postgres RENAME TO lost")
        conn.execute("ALTER DATABASE backup RENAME TO postgres")
    assert stage.in_log() < whole

    ahead = [found for found in stage.audit(drained=False).findings if found.check == "offsets"]
    _go_back(stage, [found.detail for found in ahead])
    _work(stage, "again", [])

    assert stage.in_log() == whole
    # What was announced from the database that is gone can't be unsaid: the page says so.
    report = stage.audit()
    assert {check.name for check in report.checks if check.found} == {"outbox"}
    assert {re.sub(r"\d+", "N", found.detail) for found in report.findings} <= {
        "record without an outbox row",
        "body differs from outbox row N",
        "row N is after row N",
    }


def _work(stage: Stage, name: str, planned: Sequence[Planned]) -> None:
    worker = stage.worker(name)
    worker.start()
    stage.publish(item.record for item in planned)
    stage.drain()
    assert worker.stop() == 0


@contextmanager
def _elsewhere(stage: Stage) -> Iterator[psycopg.Connection]:
    url = stage.postgres.url.rpartition("/")[0] + "/template1"
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


def _go_back(stage: Stage, details: list[str]) -> None:
    """Do what `kafka-consumer-groups.sh --reset-offsets --to-offset` does."""
    places = [re.search(r"missing (\S+)\[(\d+)\]@(\d+)", detail) for detail in details]
    consumer = Consumer(
        {"bootstrap.servers": stage.kafka.bootstrap_servers, "group.id": stage.kafka.group}
    )
    wanted = [TopicPartition(p[1], int(p[2]), int(p[3])) for p in places if p]
    consumer.commit(offsets=wanted, asynchronous=False)
    consumer.close()
