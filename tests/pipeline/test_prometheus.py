"""A real Prometheus scrapes a real worker."""

from __future__ import annotations

import json
import os
import shutil
import signal
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.embedded import ports, process
from tests.pipeline.histories import history
from tests.pipeline.stage import Stage, until

pytestmark = [pytest.mark.kafka, pytest.mark.prometheus]


class Prometheus:
    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, expression: str) -> float | None:
        """Return the value of an expression that gives one sample; None when it gives none."""
        query = urllib.parse.urlencode({"query": expression})
        try:
            url = f"http://127.0.0.1:{self._port}/api/v1/query?{query}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                found = json.load(answer)["data"]["result"]
        except OSError:
            return None
        return float(found[0]["value"][1]) if found else None


@pytest.fixture
def program() -> str:
    found = shutil.which("prometheus")
    if found is None:
        reason = "the Debian package prometheus is not installed"
        if os.environ.get("ICAM_REQUIRE_PROMETHEUS"):
            pytest.fail(f"ICAM_REQUIRE_PROMETHEUS is set, but {reason}")
        pytest.skip(reason)
    return found


@contextmanager
def scraping(program: str, directory: Path, target: int) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes a local port every second."""
    config = directory / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        "  - job_name: icam\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{target}']}}]\n"
    )
    port = ports.free_port()
    running = process.start(
        [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        directory / "prometheus.log",
    )
    try:
        yield Prometheus(port)
    finally:
        process.stop(running, signal.SIGTERM, 20)


def test_what_the_worker_did_is_in_prometheus(stage: Stage, program: str) -> None:
    planned = history(scale=0.2, malformed=0.05)
    worker = stage.worker("worker")
    worker.start()
    stage.publish(item.record for item in planned)
    stage.drain()
    with scraping(program, stage.directory, worker.port) as prometheus:
        _compare(stage, prometheus, len(planned))


def _compare(stage: Stage, prometheus: Prometheus, records: int) -> None:
    def scraped() -> bool:
        return prometheus.ask("sum(icam_records_total)") == records

    until(scraped, 30, "every record is in Prometheus")
    dead = stage.query("SELECT count(*) FROM dead_letter")[0][0]
    raised = stage.query("SELECT count(*) FROM escalation")[0][0]
    assert dead > 0
    assert raised > 0
    assert prometheus.ask("sum(icam_dead_lettered_total)") == dead
    assert prometheus.ask('sum(icam_escalations_total{kind="raised"})') == raised
    until(lambda: prometheus.ask("icam_dead_letters_open") == dead, 10, "the gauge is read")
    assert prometheus.ask("icam_partitions_assigned") == 4 * stage.kafka.partitions
    assert prometheus.ask("icam_deadlines_due_unfired") == 0
    assert prometheus.ask("up") == 1
