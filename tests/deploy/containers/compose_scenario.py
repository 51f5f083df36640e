"""Run docker-compose.yml on a real engine: start, publish, kill, stop, alert, audit, remove."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import orjson

from tests.deploy.files import workers

from . import images
from .commands import expect, wait
from .engine import Engine, engine
from .events import Events, in_flight
from .machine import HOME, prepare
from .report import Report
from .stack import PORTS, SERVICES, Stack, get, start_times

_WORKERS: Final = tuple(workers())
_ALERT: Final = "IcamNoWorker"
_HOOK: Final = Path(__file__).with_name("hook.py")
_EVERY_MODULE: Final = """
import importlib, pkgutil, schemas, streams
missing = []
for package in (schemas, streams):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
from streams.domain import decide
assert decide.__file__.endswith(".so"), decide.__file__
"""


def run(report: Report) -> None:
    """Do every step; the first that fails ends the scenario.

    Raises:
        Failed: a step failed.
        Unfit: the machine lacks something.
    """
    with report.step("check the machine"):
        prepare(PORTS)
    with ExitStack() as open_:
        with report.step("start the container engine"):
            daemon = open_.enter_context(engine())
        with report.step("build the stand-in base images"):
            images.stand_ins(daemon)
        with report.step("build our image") as step:
            images.ours(daemon)
            own = images.own_layers_mb(daemon)
            step.result = f"own layers {own:.0f} MB, limit {images.LIMIT_MB} MB"
            expect(own <= images.LIMIT_MB, step.result)
            daemon.docker(
                *("run", "--rm", "--read-only", "--network=none", "--entrypoint=python"),
                *(images.OURS, "-c", _EVERY_MODULE),
            )
        events = Events(HOME / "events")
        stack = Stack(daemon, events)
        stack.down()  # What a run that was killed left.
        open_.callback(stack.down)
        open_.callback(stack.save_logs)
        _started(report, stack)
        _streamed(report, stack, events)
        _each_killed(report, stack, events)
        _workers_killed(report, stack, events)
        _worker_stopped(report, stack, events)
        _alerted(report, stack, daemon)
        _started_again(report, stack)
        with report.step("docker compose down: nothing is left"):
            stack.save_logs()
            stack.down()


def _started(report: Report, stack: Stack) -> None:
    with report.step("docker compose up: every service is healthy") as step:
        begun = time.monotonic()
        with start_times(stack) as seconds:
            stack.up()
        stack.await_ready()
        step.result = f"healthy after {time.monotonic() - begun:.0f} s"
        for name in SERVICES:
            report.service(name).start_seconds = seconds.get(name)
    with report.step("Prometheus reaches every target") as step:
        step.result = f"{wait('every target up', _targets_up)} targets up"


def _streamed(report: Report, stack: Stack, events: Events) -> None:
    with report.step("publish a simulated stream, audit") as step:
        batch = events.draw(scale=1, malformed=0.01)
        stack.publish(batch)
        audit = stack.settle()
        step.result = f"{batch.records} records published, {audit.events} events, audit clean"
        for name, mib in stack.memory_mib().items():
            report.service(name).memory_mib = mib


def _each_killed(report: Report, stack: Stack, events: Events) -> None:
    for name in SERVICES:
        with report.step(f"SIGKILL {name} after publishing") as step:
            batch = events.draw(scale=0.3)
            stack.publish(batch)
            seconds = stack.await_restart(stack.kill(name))
            report.service(name).recovery_seconds = seconds
            stack.await_ready()
            step.result = f"{batch.records} records published, ready again after {seconds:.1f} s"
    with report.step("audit after killing each service") as step:
        step.result = f"{stack.settle().events} events, audit clean"


def _workers_killed(report: Report, stack: Stack, events: Events) -> None:
    with report.step("SIGKILL both workers with events in flight, audit") as step:
        before, end = _backlog(stack, events)
        stack.compose("start", *_WORKERS)
        wait("first events stored", lambda: stack.stored() > before, every=0.05)
        killed = stack.kill(*_WORKERS)
        stored = stack.stored()
        step.result = in_flight("killed", before, stored, end)
        stack.await_restart(killed)
        step.result += f"; then {stack.settle().events} events, audit clean"


def _worker_stopped(report: Report, stack: Stack, events: Events) -> None:
    first = _WORKERS[0]
    with report.step(f"stop {first} with a batch in flight, audit") as step:
        before, end = _backlog(stack, events)
        stack.compose("start", first)
        wait("first events stored", lambda: stack.stored() > before, every=0.05)
        stack.compose("stop", first)
        step.result = in_flight("stopped", before, stack.stored(), end)
        code = stack.inspect(first)[first]["State"]["ExitCode"]
        expect(code == 0, f"exit code {code} of a worker that was stopped")
        stack.compose("start", *_WORKERS)
        stack.await_ready()
        step.result += f"; exit code {code}; then {stack.settle().events} events, audit clean"


def _backlog(stack: Stack, events: Events) -> tuple[int, int]:
    """Publish while no worker runs; return how many events are stored, and will be in the end."""
    batch = events.draw(scale=2)
    stack.compose("stop", *_WORKERS)
    stack.publish(batch)
    before = stack.stored()
    return before, before + len(batch.ids)


def _alerted(report: Report, stack: Stack, daemon: Engine) -> None:
    with (
        report.step(f"stop both workers: {_ALERT} fires and is delivered") as step,
        ExitStack() as s,
    ):
        alertmanager = stack.inspect("alertmanager")["alertmanager"]["Id"]
        hook = daemon.docker(
            *("run", "--detach", "--read-only", f"--network=container:{alertmanager}"),
            *(f"--volume={_HOOK}:/hook.py:ro", images.base_of_ours(), "python", "/hook.py"),
        )
        s.callback(daemon.docker, "rm", "--force", hook)
        stack.compose("stop", *_WORKERS)
        begun = time.monotonic()
        wait("alert in Alertmanager", lambda: _ALERT in _alerts(), every=1)
        fired = time.monotonic() - begun
        page = wait("notification", lambda: _notified(daemon.docker("logs", hook), "firing"))
        address, _, path = page.removeprefix("http://").partition("/")
        expect(get(address, f"/{path}")[0] == 200, f"no runbook at {page}")
        stack.compose("start", *_WORKERS)
        stack.await_ready()
        wait("resolved", lambda: _notified(daemon.docker("logs", hook), "resolved"))
        step.result = f"in Alertmanager after {fired:.0f} s, delivered with {page}, then resolved"


def _started_again(report: Report, stack: Stack) -> None:
    with report.step("docker compose down and up again on the same volumes, audit") as step:
        before = stack.stored()
        stack.compose("down")
        begun = time.monotonic()
        stack.up()
        seconds = time.monotonic() - begun
        audit = stack.settle()
        expect(stack.stored() == before, f"{stack.stored()} events, {before} before")
        step.result = f"healthy after {seconds:.0f} s, {audit.events} events, audit clean"


def _alerts() -> set[str]:
    _, body = get("127.0.0.1:9093", "/api/v2/alerts?active=true")
    return {one["labels"]["alertname"] for one in orjson.loads(body)}


def _notified(lines: str, status: str) -> str | None:
    """Return the runbook's address in a notification of our alert with this status."""
    for line in lines.splitlines():
        for alert in orjson.loads(line)["alerts"]:
            if (alert["labels"]["alertname"], alert["status"]) == (_ALERT, status):
                return str(alert["annotations"]["runbook_url"])
    return None


def _targets_up() -> int | None:
    _, body = get("127.0.0.1:9090", "/api/v1/targets?state=active")
    targets = orjson.loads(body)["data"]["activeTargets"]
    return len(targets) if targets and all(one["health"] == "up" for one in targets) else None
