"""A worker waits for what it needs, ends in time, and says why: its exit code is 1 for a failure
of its own only. What a broker must answer is in ``tests/pipeline/test_starts.py``.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faust
import pytest

from streams.embedded.worker import WorkerProcess
from streams.worker.process import IcamWorker
from tests.pipeline.stage import until

pytestmark = pytest.mark.server

STUBBORN = Path(__file__).parents[1] / "pipeline" / "stubborn_worker.py"


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of a broker that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def _worker(
    directory: Path, url: str, brokers: str, script: Path | None = None, **more: str
) -> WorkerProcess:
    environment = {"ICAM_DATABASE__URL": url, "ICAM_KAFKA__BOOTSTRAP_SERVERS": brokers}
    return WorkerProcess(directory, environment | more, script=script)


def _lines(worker: WorkerProcess) -> list[dict[str, Any]]:
    lines = worker.log.read_text().splitlines() if worker.log.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{")]


def _logged(worker: WorkerProcess, event: str) -> bool:
    return any(line["event"].endswith(event) for line in _lines(worker))


@pytest.mark.parametrize(("asked_to_stop", "code"), [(True, 0), (False, 1)])
def test_a_task_that_was_cancelled_is_a_failure_only_if_nobody_stopped_the_worker(
    asked_to_stop: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust raises again what ended its fetcher: at a stop during a rebalance, a cancellation."""

    def cancelled(_: faust.Worker) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(faust.Worker, "execute_from_commandline", cancelled)
    worker = IcamWorker.__new__(IcamWorker)
    worker.failure, worker._asked_to_stop, worker._deadline = None, asked_to_stop, None

    assert worker.run() == code


@pytest.mark.parametrize("event", ["internal_port", "[^---ConsumerThread]: Starting..."])
def test_a_worker_that_is_stopped_while_it_starts_ends_with_0(
    event: str, database_url: str, mute: str, tmp_path: Path
) -> None:
    worker = _worker(tmp_path, database_url, mute)
    worker.start(wait=False)
    until(lambda: _logged(worker, event), 30, event)

    assert worker.stop(15) == 0


def test_a_worker_that_is_stopped_while_the_database_is_away_ends_with_0(
    mute: str, tmp_path: Path
) -> None:
    worker = _worker(tmp_path, "postgresql://postgres@127.0.0.1:1/postgres", mute)
    worker.start(wait=False)
    until(lambda: _logged(worker, "database_away"), 30, "it waits")

    assert worker.probe("readyz")[1]["database_away"]
    assert worker.stop(15) == 0


def test_a_worker_without_brokers_waits_and_says_that_it_is_not_ready(
    database_url: str, tmp_path: Path
) -> None:
    worker = _worker(tmp_path, database_url, "127.0.0.1:1")
    worker.start(wait=False)
    until(lambda: len([x for x in _lines(worker) if x["event"] == "broker_away"]) > 2, 30, "waits")

    status, parts = worker.probe("readyz")

    assert (status, parts["broker_away"]) == (503, True)
    assert worker.probe("livez")[0] == 200
    assert worker.stop(15) == 0


def test_a_shutdown_that_never_ends_is_cut_short(
    database_url: str, mute: str, tmp_path: Path
) -> None:
    worker = _worker(tmp_path, database_url, mute, STUBBORN)
    worker.start(wait=False)
    until(lambda: _logged(worker, "[^---ConsumerThread]: Starting..."), 30, "it runs")

    assert worker.stop(10) == 1
    assert _lines(worker)[-1]["event"] == "shutdown_cut_short"


def test_a_worker_that_fails_and_can_not_shut_down_ends_with_what_failed(
    database_url: str, mute: str, tmp_path: Path
) -> None:
    worker = _worker(tmp_path, database_url, mute, STUBBORN, ICAM_STUBBORN_FAILS="1")
    worker.start(wait=False)
    until(lambda: worker.exit_code is not None, 30, "it ended")

    last = _lines(worker)[-1]

    assert worker.exit_code == 1
    assert last["event"] == "worker_failed"
    assert last["why"].startswith("KeyError at stubborn_worker.py:")
    assert "previous version" in last["why"]


def test_a_port_that_is_taken_is_waited_for_then_named(
    database_url: str, mute: str, tmp_path: Path
) -> None:
    waiting = _worker(tmp_path / "waiting", database_url, mute)
    with socket.create_server(("127.0.0.1", waiting.port)):
        waiting.start(wait=False)
        until(lambda: _logged(waiting, "port_taken"), 30, "it waits")
    until(lambda: waiting.probe("livez")[0] == 200, 30, "it listens")
    refused = _worker(tmp_path / "refused", database_url, mute, STUBBORN)
    refused.port = waiting.port
    refused._environment["ICAM_HTTP__PORT"] = str(waiting.port)

    refused.start(wait=False)
    until(lambda: refused.exit_code is not None, 30, "it ended")

    last = _lines(refused)[-1]
    assert (refused.exit_code, last["event"]) == (1, "worker_failed")
    assert f"port {waiting.port} of 127.0.0.1 is taken" in last["why"]
    assert waiting.stop() == 0
