"""A worker that loses what it fetched, and one that hangs on an event.

Kills, stops, freezes, rebalances and absent servers are in ``tests/faults``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.pipeline.histories import history, valid_ids
from tests.pipeline.stage import Stage, until

pytestmark = pytest.mark.kafka

FAULTY: Final = Path(__file__).parents[1] / "faults" / "faulty_worker.py"
FORGETFUL: Final = Path(__file__).with_name("forgetful_worker.py")


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
