"""Workers killed, stopped, frozen, joined; servers gone. On real Kafka and PostgreSQL."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from streams.embedded.kafka import KafkaNode
from tests.pipeline.histories import history, valid_ids
from tests.pipeline.stage import Stage, until

pytestmark = [pytest.mark.kafka, pytest.mark.alone]

FAULTY: Final = Path(__file__).parents[1] / "faults" / "faulty_worker.py"
FORGETFUL: Final = Path(__file__).with_name("forgetful_worker.py")


def test_a_worker_killed_mid_batch_loses_and_doubles_nothing(stage: Stage) -> None:
    planned = history(scale=1.0, days=90, malformed=0.005)
    stage.publish(item.record for item in planned)

    for kills in range(1, 4):  # each kill falls while batches are being written
        worker = stage.worker(f"killed-{kills}")
        before = stage.in_log()
        worker.start(wait=False)
        until(partial(_more_than, stage, before + 300 * kills), 60, "some batches in")
        worker.kill()
    assert 0 < stage.in_log() < len(valid_ids(planned)), "every kill came before the end"

    stage.worker("last").start()
    stage.drain()
    assert stage.audit(produced=valid_ids(planned)).findings == ()
    assert {row[0] for row in stage.query("SELECT event_id FROM case_event")} == valid_ids(planned)


def test_a_worker_told_to_stop_mid_batch_ends_in_order_and_loses_nothing(stage: Stage) -> None:
    planned = history(days=90)
    worker = stage.worker("stopped")
    worker.start()
    stage.publish(item.record for item in planned)
    until(lambda: stage.in_log() > 100, 30, "some batches in")

    assert worker.stop(patience=20) == 0

    stage.worker("next").start()
    stage.drain()
    assert stage.audit(produced=valid_ids(planned)).findings == ()


def test_a_second_worker_joins_and_the_first_leaves(stage: Stage) -> None:
    planned = history(days=90)
    half = len(planned) // 2
    first, second = (stage.worker(name) for name in ("first", "second"))
    first.start()
    stage.publish(item.record for item in planned[:half])
    second.start()
    stage.publish(item.record for item in planned[half:])
    until(lambda: first.ready() and second.ready(), 60, "both have partitions")
    assert first.stop() == 0

    stage.drain()
    assert stage.audit(produced=valid_ids(planned)).findings == ()


def test_a_worker_frozen_past_its_session_comes_back_and_does_no_harm(stage: Stage) -> None:
    planned = history(scale=1.0, days=90)
    stage.publish(item.record for item in planned)
    zombie, heir = (stage.worker(name) for name in ("zombie", "heir"))
    zombie.start(wait=False)
    until(lambda: stage.in_log() > 500, 60, "some batches in")
    os.kill(zombie.pid, signal.SIGSTOP)
    taken = stage.in_log()
    heir.start(wait=False)
    until(lambda: stage.in_log() > taken + 500, 60, "the other has the partitions now")

    os.kill(zombie.pid, signal.SIGCONT)

    stage.drain()
    assert stage.audit(produced=valid_ids(planned)).findings == ()
    until(lambda: zombie.exit_code is not None or zombie.ready(), 60, "it is back, or gone")
    assert zombie.exit_code in (None, 1), "it works again, or ended so as to be started anew"


def test_what_was_fetched_and_not_delivered_is_fetched_again_even_before_the_first_commit(
    stage: Stage,
) -> None:
    planned = history()
    stage.publish(item.record for item in planned)
    worker = stage.worker("forgetful", FORGETFUL)

    worker.start()

    stage.drain()
    assert "thrown away:" in worker.log.read_text()
    assert stage.audit(produced=valid_ids(planned)).findings == ()


def test_a_worker_that_hangs_on_one_event_says_so_and_its_successor_takes_it_in(
    stage: Stage,
) -> None:
    planned = history()
    wanted = valid_ids(planned)
    hangs = sorted(wanted)[len(wanted) // 2]
    stuck = stage.worker(
        "stuck",
        FAULTY,
        ICAM_FAULTY_HANGS=str(hangs),
        ICAM_FAULTY_SECONDS="600",
        ICAM_HTTP__STUCK_SECONDS="3",
    )
    stuck.start(wait=False)
    stage.publish(item.record for item in planned)
    until(lambda: stage.in_log() > 50, 60, "the other lane goes on")

    # What acts on it, after a minute unless told otherwise, is whoever runs the worker.
    until(lambda: stuck.probe("livez")[0] == 503, 60, "it is found out")
    stuck.kill()

    stage.worker("next").start()
    stage.drain()
    assert stage.audit(produced=wanted).findings == ()
    assert stage.query("SELECT count(*) FROM dead_letter") == [(0,)]


def test_while_the_database_is_away_nothing_is_lost_or_set_aside(stage: Stage) -> None:
    planned = history(days=90)
    worker = stage.worker("worker")
    worker.start()
    third = len(planned) // 3
    stage.publish(item.record for item in planned[:third])

    stage.postgres.stop()
    stage.publish(item.record for item in planned[third : 2 * third])
    # The intake notices at once, the gauges at their next look: both end in 503.
    until(lambda: worker.probe("readyz")[1].get("database_away") is True, 30, "says why")
    assert worker.probe("readyz")[0] == 503
    assert worker.probe("livez")[0] == 200, "waiting for a dead database is alive"
    stage.postgres.start()
    until(worker.ready, 30, "ready again")

    stage.publish(item.record for item in planned[2 * third :])
    until(lambda: stage.in_log() > third, 30, "taking in again")
    stage.postgres.kill()
    time.sleep(1)
    stage.postgres.start()

    stage.drain()
    assert stage.query("SELECT count(*) FROM dead_letter") == [(0,)]
    assert stage.audit(produced=valid_ids(planned)).findings == ()
    assert worker.exit_code is None, "it went on by itself"


def test_while_the_broker_is_away_nothing_is_lost_or_set_aside(
    stage: Stage, kafka_node: KafkaNode | None
) -> None:
    if kafka_node is None:
        pytest.skip("the broker named in the environment is not ours to restart")
    planned = history()
    half = len(planned) // 2
    worker = stage.worker("worker")
    worker.start()
    stage.publish(item.record for item in planned[:half])
    until(lambda: stage.in_log() > 50, 30, "some batches in")

    kafka_node.stop()
    until(lambda: worker.probe("readyz")[0] == 503, 30, "not ready")
    kafka_node.start()

    stage.publish(item.record for item in planned[half:])
    stage.drain()
    assert stage.query("SELECT count(*) FROM dead_letter") == [(0,)]
    assert stage.audit(produced=valid_ids(planned)).findings == ()
    assert worker.exit_code is None, "it went on by itself"


def _more_than(stage: Stage, events: int) -> bool:
    return stage.in_log() > events
