"""A role as its own process, as in operation, against the servers of its environment."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias

from streams.embedded import process
from streams.embedded.ports import free_port

Role: TypeAlias = Literal["worker", "exporter", "canary", "board"]

_PORT_OF: Final[Mapping[Role, str]] = {
    "worker": "ICAM_HTTP__PORT",
    "exporter": "ICAM_EXPORTER__PORT",
    "canary": "ICAM_CANARY__PORT",
    "board": "ICAM_BOARD__PORT",
}


class RoleProcess:
    """``icam ROLE`` on a free internal port; its log is ``directory/ROLE.log``.

    ``script`` runs instead of it in tests that need a faulty one. ``inside`` is a command prefix
    that runs it in a network namespace, and ``host`` is its address there.
    """

    def __init__(
        self,
        role: Role,
        directory: Path,
        environment: Mapping[str, str],
        *,
        script: Path | None = None,
        inside: Sequence[str] = (),
        host: str = "127.0.0.1",
    ) -> None:
        self.directory = directory.absolute()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.host, self.port = host, free_port()
        self.log = self.directory / f"{role}.log"
        self._environment = {
            **environment,
            _PORT_OF[role]: str(self.port),
            "ICAM_DATA_DIRECTORY": str(self.directory / "data"),
        }
        program = [script] if script else ["-m", "streams", role]
        self._command = [*inside, sys.executable, *program]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id of the last start."""
        if self._process is None:
            raise RuntimeError("it was not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return its exit code; None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self, *, wait: bool = True) -> None:
        """Start it and, if ``wait``, block until it is ready.

        Raises:
            ServerDidNotStart: it ended or did not become ready; the message quotes its log.
        """
        self._process = process.start(
            self._command,
            self.log,
            env=self._environment,
            ours=True,
        )
        if wait:
            process.await_ready(self._process, self.ready, self.log, 60)

    def ready(self) -> bool:
        """Whether ``/readyz`` answers 200."""
        return self.probe("readyz")[0] == 200

    def probe(self, path: str) -> tuple[int, dict[str, object]]:
        """Return status and body of a probe; status 0 if there is no answer."""
        try:
            with urllib.request.urlopen(f"{self.address}/{path}", timeout=2) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, _body(refusal)  # a failed probe has a body too
        except (OSError, ValueError):
            return 0, {}

    @property
    def address(self) -> str:
        """Return the URL of its internal port."""
        return f"http://{self.host}:{self.port}"

    def metrics(self) -> str:
        """Return its metrics as text; empty if there is no answer."""
        try:
            with urllib.request.urlopen(f"{self.address}/metrics", timeout=2) as answer:  # noqa: S310
                text: str = answer.read().decode()
                return text
        except OSError:
            return ""

    def stop(self, patience: float = 30) -> int:
        """Send SIGTERM, wait for the end, and return the exit code."""
        if self._process is None:
            return 0
        return process.stop(self._process, signal.SIGTERM, patience)

    def kill(self) -> None:
        """Kill it at once."""
        if self._process is not None:
            process.kill(self._process)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _body(refusal: urllib.error.HTTPError) -> dict[str, object]:
    """Return the parts of a failed probe; none if the probe itself failed (status 500)."""
    try:
        parts: dict[str, object] = json.load(refusal)
    except ValueError:
        return {}
    return parts


class WorkerProcess(RoleProcess):
    """``icam worker``."""

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        *,
        script: Path | None = None,
        inside: Sequence[str] = (),
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__("worker", directory, environment, script=script, inside=inside, host=host)
