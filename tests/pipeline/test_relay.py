"""A worker that is frozen while it publishes is replaced, and harms nothing when it goes on."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from click.testing import CliRunner

from schemas.codec import Outgoing, decode, encode
from streams.cli import main
from streams.embedded.worker import WorkerProcess
from streams.simulate.publishing import Kind, Planned
from tests.pipeline.histories import event_id, history, valid_ids
from tests.pipeline.stage import Stage, until

pytestmark = pytest.mark.kafka


def _said_again(planned: Sequence[Planned], at: datetime) -> Outgoing:
    """Return the report of a circumstance of the stream as another event, of this time."""
    for item in planned:
        record = item.record
        if item.kind is Kind.VALID and record.topic == "icam.circumstance-changed.v1":
            said = decode(record.topic, record.key, record.value, record.headers)
            return encode(
                said.event, event_id=uuid4(), case_id=said.case_id, source=said.source, time=at
            )
    raise AssertionError("no circumstance in the stream")


def _icam(stage: Stage, code: int, *line: str) -> str:
    done = CliRunner().invoke(main, line, env=stage.environment)
    assert done.exit_code == code, done.output
    return done.stdout


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


def test_what_is_kept_in_memory_announces_nothing_stale_twice_or_out_of_order(
    stage: Stage,
) -> None:
    """Two workers, of which one freezes while it publishes; meanwhile a replay and a rebuild."""
    holder, other = (
        stage.worker(name, ICAM_INTAKE__MAX_AHEAD_SECONDS="1") for name in ("holder", "other")
    )
    holder.start()
    until(lambda: f":{holder.pid} since " in _relay(holder), 10, "it publishes")
    other.start()
    planned = history(scale=0.2)
    parts = [planned[first::3] for first in range(3)]
    soon = datetime.now(UTC) + timedelta(seconds=10)
    early = _said_again(planned, soon)
    stage.publish([early, *(item.record for item in parts[0])])
    stage.drain()
    [(letter,)] = stage.query("SELECT dead_letter_id FROM dead_letter WHERE reason = 'ahead'")
    until(lambda: datetime.now(UTC) > soon, 15, "its time has come")

    stage.query(
        "UPDATE case_projection SET digest = '' WHERE case_id IN ("
        "SELECT case_id FROM case_projection ORDER BY case_id FOR UPDATE) RETURNING 1"
    )
    stage.publish(item.record for item in parts[1])
    os.kill(holder.pid, signal.SIGSTOP)
    assert "applied" in _icam(stage, 0, "dead-letters", "replay", str(letter))
    rebuilt = json.loads(_icam(stage, 1, "rebuild", "--processes", "1", "--json"))
    until(lambda: f":{other.pid} since " in _relay(other), 15, "the other one publishes")
    stage.publish(item.record for item in parts[2])
    os.kill(holder.pid, signal.SIGCONT)
    stage.drain()

    assert rebuilt["differing"] > 0
    assert stage.audit(produced={*valid_ids(planned), event_id(early)}).findings == ()
    assert holder.stop() in (0, 1)
    assert other.stop() == 0
