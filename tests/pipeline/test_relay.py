"""A worker that is frozen while it publishes is replaced, and harms nothing when it goes on."""

from __future__ import annotations

import os
import signal
import time

import pytest

from streams.embedded.worker import WorkerProcess
from tests.pipeline.histories import history, valid_ids
from tests.pipeline.stage import Stage, until

pytestmark = pytest.mark.kafka


def _relay(worker: WorkerProcess) -> str:
    return str(worker.probe("readyz")[1].get("relay", ""))


def test_another_worker_takes_the_relay_over_from_one_that_is_frozen(stage: Stage) -> None:
    holder, other = stage.worker("holder"), stage.worker("other")
    holder.start()
    mine = f":{holder.pid} since "
    until(lambda: mine in _relay(holder), 10, "it publishes")
    other.start()
    until(lambda: mine in _relay(other), 10, "the other one says who publishes")
    planned = history(scale=0.1)

    os.kill(holder.pid, signal.SIGSTOP)
    frozen = time.monotonic()
    stage.publish(item.record for item in planned)
    until(lambda: f":{other.pid} since " in _relay(other), 15, "the other one publishes")
    assert time.monotonic() - frozen < 15
    stage.drain()
    os.kill(holder.pid, signal.SIGCONT)

    until(lambda: "relay_lost" in holder.log.read_text(), 15, "it noticed")

    def waits_or_ended() -> bool:
        """Its session is over: it works again, or ends with 1 to be started again."""
        return "worker_failed" in holder.log.read_text() or (
            f":{other.pid} since " in _relay(holder)
        )

    until(waits_or_ended, 30, "and waits its turn")
    assert stage.audit(produced=valid_ids(planned)).findings == ()
    assert holder.stop() in (0, 1)
    assert other.stop() == 0
