"""The project's own docker-compose.yml, started, asked and broken."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from tests.deploy.files import COMPOSE, ports, serving

from .commands import expect, wait
from .engine import Engine
from .events import Audit, Batch, Events, settle, stored
from .machine import LOGS

_PROJECT: Final = "icam"
_DATABASE: Final = "postgresql://icam_auditor:local-only-auditor@127.0.0.1:5432/icam"
_MOUNTS: Final = "/mnt"
_READY: Final[dict[str, tuple[int, str | None]]] = {
    "kafka": (9092, None),
    "postgres": (5432, None),
    **{name: (ports()[one["command"][0]], "/readyz") for name, one in serving().items()},
    "alertmanager": (9093, "/-/ready"),
    "prometheus": (9090, "/-/ready"),
}
"""Where each service says that it is ready: port and path, or a port that only has to accept."""
SERVICES: Final = tuple(_READY)
PORTS: Final = (5432, 6070, 9090, 9093, 29092)
"""Published on 127.0.0.1 by docker-compose.yml, Grafana's left out."""


@dataclass(frozen=True)
class Killed:
    """Services that were killed: when, and how often each had been restarted before."""

    at: float
    restarts: Mapping[str, int]


class Stack:
    """The running services."""

    def __init__(self, engine: Engine, events: Events) -> None:
        self._engine = engine
        self._events = events

    def compose(
        self, *words: str | Path, stdin: Path | None = None, codes: Sequence[int] = (0,)
    ) -> str:
        """Run a docker compose command and return its output."""
        return self._engine.docker("compose", "--file", COMPOSE, *words, stdin=stdin, codes=codes)

    def up(self) -> None:
        """Start everything and wait until it is healthy."""
        self.compose("up", "--detach", "--wait", "--no-build", "--quiet-pull")

    def down(self) -> None:
        """Remove containers, networks and volumes; raise ``Failed`` when any is left."""
        self.compose("down", "--volumes", "--remove-orphans")
        label = f"label=com.docker.compose.project={_PROJECT}"
        for kind in ("container", "network", "volume"):
            every = ("--all",) if kind == "container" else ()
            left = self._engine.docker(kind, "ls", *every, "--quiet", "--filter", label)
            expect(not left, f"{kind}s left behind: {left.split()}")

    def save_logs(self) -> None:
        """Write what the containers printed, and what their health checks found, to files."""
        (LOGS / "compose.log").write_text(self.compose("logs", "--no-color", "--timestamps"))
        health = {name: one["State"] for name, one in self.inspect().items()}
        (LOGS / "compose-health.json").write_bytes(orjson.dumps(health, option=orjson.OPT_INDENT_2))

    def inspect(self, *services: str) -> dict[str, dict[str, Any]]:
        """Return what the engine knows of the containers of services, by service."""
        ids = self.compose("ps", "--all", "--quiet", *services).split()
        found = self._engine.inspect(*ids) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def unready(self) -> list[str]:
        """Return the services that are not ready."""
        containers = self.inspect(*SERVICES)
        return [
            name for name in SERVICES if name not in containers or not ready(name, containers[name])
        ]

    def await_ready(self) -> None:
        """Wait until every service is ready."""
        wait("every service ready", lambda: not self.unready())

    def kill(self, *services: str) -> Killed:
        """Send SIGKILL to services, as the kernel would when memory runs out."""
        containers = self.inspect(*services)
        for one in containers.values():
            # By the host's process id: `docker kill` counts as a stop, with no restart after it.
            os.kill(one["State"]["Pid"], signal.SIGKILL)
        restarts = {name: one["RestartCount"] for name, one in containers.items()}
        return Killed(time.monotonic(), restarts)

    def await_restart(self, killed: Killed) -> float:
        """Return the seconds from the kill until the engine had all of them ready again."""

        def back() -> bool:
            now = self.inspect(*killed.restarts)
            return all(
                now[name]["RestartCount"] > count and ready(name, now[name])
                for name, count in killed.restarts.items()
            )

        wait(f"{', '.join(killed.restarts)} ready again", back, every=0.2)
        return time.monotonic() - killed.at

    def memory_mib(self) -> dict[str, float]:
        """Return the memory of each service, page cache left out."""
        containers = self.inspect(*SERVICES)
        ids = {one["Id"][:12]: name for name, one in containers.items()}
        lines = self._engine.docker("stats", "--no-stream", "--format", "{{json .}}", *ids)
        found = {}
        for line in lines.splitlines():
            one = orjson.loads(line)
            found[ids[one["ID"][:12]]] = _mib(one["MemUsage"].split("/")[0])
        return found

    def publish(self, batch: Batch) -> None:
        """Publish a batch by `icam publish` in a container; every record must be acknowledged."""
        said = self.icam("canary", "publish", "--json", stdin=batch.file)
        self._events.acknowledged(batch, orjson.loads(said)["acknowledged"])

    def icam(
        self,
        service: str,
        *words: str,
        files: Sequence[Path] = (),
        stdin: Path | None = None,
        codes: Sequence[int] = (0,),
    ) -> str:
        """Run an icam command in a container with a service's settings and return its output."""
        mounts = [f"--volume={file}:{_MOUNTS}/{file.name}:ro" for file in files]
        options = ("--rm", "--no-deps", "--no-TTY", *mounts)
        return self.compose("run", *options, service, *words, stdin=stdin, codes=codes)

    def audit(self, drained: bool) -> Audit:
        """Run `icam audit` with every id that was published."""
        produced = self._events.produced()
        options = ["--json", "--produced", f"{_MOUNTS}/{produced.name}", *["--drained"] * drained]
        return Audit.read(self.icam("exporter", "audit", *options, files=[produced], codes=(0, 1)))

    def settle(self) -> Audit:
        """Audit until everything published is processed; raise ``Failed`` when it is not clean."""
        return settle(self.audit, self._events.published)

    @staticmethod
    def stored() -> int:
        """Return the number of events in the log, those of the canary left out."""
        return stored(_DATABASE)


@contextmanager
def start_times(stack: Stack) -> Iterator[dict[str, float]]:
    """Measure, from now to the end of the block, how long after its start each service is ready."""
    found: dict[str, float] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.3):
            for name, one in stack.inspect().items():
                if name in _READY and name not in found and ready(name, one):
                    begun = datetime.fromisoformat(one["State"]["StartedAt"][:26] + "+00:00")
                    found[name] = (datetime.now(UTC) - begun).total_seconds()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def ready(name: str, container: dict[str, Any]) -> bool:
    """Return whether a service says, at its address inside the engine, that it is ready."""
    port, path = _READY[name]
    networks = container["NetworkSettings"]["Networks"].values()
    address = next((one["IPAddress"] for one in networks), "")
    if not (container["State"]["Running"] and address):
        return False
    try:
        if path is None:
            socket.create_connection((address, port), timeout=2).close()
            return True
        return get(f"{address}:{port}", path)[0] == 200
    except OSError:
        return False


def get(address: str, path: str) -> tuple[int, bytes]:
    """Return status and body of a page."""
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from None
    finally:
        connection.close()


def _mib(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text.strip()).groups()  # type: ignore[union-attr]
    return float(number) * {"B": 2**-20, "KiB": 2**-10, "MiB": 1, "GiB": 2**10}[unit]
