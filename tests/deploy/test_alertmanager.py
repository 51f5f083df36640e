"""Routing and inhibition of alerts."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from typing import Any, Final

import pytest

from streams.embedded import ports, process
from tests.deploy.files import ALERTMANAGER, PROMETHEUS, read, rules
from tests.pipeline.stage import until

_CONFIG: Final[dict[str, Any]] = read(ALERTMANAGER)
_SEVERITY: Final = {rule["alert"]: rule["labels"]["severity"] for rule in rules()}


def test_prometheus_sends_alerts_to_alertmanager() -> None:
    (target,) = read(PROMETHEUS / "prometheus.yml")["alerting"]["alertmanagers"]

    assert target["static_configs"] == [{"targets": ["alertmanager:9093"]}]


def test_only_warnings_wait_for_office_hours() -> None:
    (route,) = _CONFIG["route"]["routes"]
    (hours,) = _CONFIG["time_intervals"]

    assert route["matchers"] == ["severity = warning"]
    assert route["active_time_intervals"] == [hours["name"]]
    assert all(times["location"] == "Europe/Brussels" for times in hours["time_intervals"])


def test_only_critical_alerts_inhibit_others() -> None:
    for rule in _CONFIG["inhibit_rules"]:
        sources, targets = _alerts(rule["source_matchers"]), _alerts(rule["target_matchers"])
        assert sources | targets <= _SEVERITY.keys()
        assert {_SEVERITY[source] for source in sources} == {"critical"}
        assert not sources & targets


def test_no_two_alerts_inhibit_each_other() -> None:
    inhibited_by: dict[str, set[str]] = {}
    for rule in _CONFIG["inhibit_rules"]:
        for source in _alerts(rule["source_matchers"]):
            inhibited_by.setdefault(source, set()).update(_alerts(rule["target_matchers"]))

    def all_inhibited(alert: str) -> set[str]:
        direct = inhibited_by.get(alert, set())
        return direct.union(*(all_inhibited(target) for target in direct))

    assert [alert for alert in inhibited_by if alert in all_inhibited(alert)] == []


def _alerts(matchers: list[str]) -> set[str]:
    named = [re.fullmatch(r'alertname =~? "?([\w|]+)"?', matcher) for matcher in matchers]
    return {name for found in named if found for name in found[1].split("|")}


@pytest.mark.prometheus
def test_amtool_accepts_the_configuration(amtool: str) -> None:
    assert "SUCCESS" in _run(amtool, "check-config", str(ALERTMANAGER))


@pytest.mark.prometheus
def test_an_alert_is_routed_by_its_severity(amtool: str, subtests: pytest.Subtests) -> None:
    for alert in _SEVERITY:
        with subtests.test(alert):
            severity = _SEVERITY[alert]
            labels = (f"alertname={alert}", f"severity={severity}")
            receiver = _run(
                amtool, "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels
            )

            assert (
                receiver.strip() == {"critical": "on-call", "warning": "next-working-day"}[severity]
            )


@pytest.mark.prometheus
def test_a_cause_is_notified_and_its_consequence_is_inhibited(
    alertmanager: str, tmp_path: Path
) -> None:
    with _listening() as (notifications, pager), _running(alertmanager, tmp_path, pager) as port:
        _post(
            port,
            [
                ("IcamBehind", "icam.oqt-issued.v1"),
                ("IcamNoWorker", ""),
                ("IcamAuditDifference", ""),
            ],
        )
        received = {notifications.get(timeout=30), notifications.get(timeout=30)}
        inhibited = _inhibited(port)

    assert received == {("/on-call", "IcamNoWorker"), ("/on-call", "IcamAuditDifference")}
    assert inhibited == {"IcamBehind"}


@contextmanager
def _listening() -> Iterator[tuple[Queue[tuple[str, str]], int]]:
    """Receive notifications of an Alertmanager: path and name of each alert, once each."""
    notifications: Queue[tuple[str, str]] = Queue()
    known: set[tuple[str, str]] = set()

    class Pager(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in body["alerts"]:
                one = (self.path, alert["labels"]["alertname"])
                if one not in known:
                    known.add(one)
                    notifications.put(one)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Pager) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield notifications, server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _running(program: str, directory: Path, pager: int) -> Iterator[int]:
    """Run an Alertmanager with our configuration, except the pager's port and a shorter wait."""
    config = directory / "alertmanager.yml"
    text = ALERTMANAGER.read_text().replace(":9095/", f":{pager}/")
    config.write_text(text.replace("group_wait: 10s", "group_wait: 2s"))
    port = ports.free_port()
    running = process.start(
        [
            program,
            f"--config.file={config}",
            f"--storage.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        directory / "alertmanager.log",
    )
    try:
        until(lambda: _ready(port), 30, "the Alertmanager answers")
        yield port
    finally:
        process.stop(running, signal.SIGTERM, 20)


def _ready(port: int) -> bool:
    try:
        return _ask(port, "GET", "/-/ready")[0] == 200
    except OSError:
        return False


def _post(port: int, alerts: list[tuple[str, str]]) -> None:
    body = [
        {"labels": {"alertname": name, "topic": topic, "severity": _SEVERITY[name]}}
        for name, topic in alerts
    ]
    assert _ask(port, "POST", "/api/v2/alerts", json.dumps(body))[0] == 200


def _inhibited(port: int) -> set[str]:
    return {
        alert["labels"]["alertname"]
        for alert in json.loads(_ask(port, "GET", "/api/v2/alerts")[1])
        if alert["status"]["inhibitedBy"]
    }


def _ask(port: int, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
