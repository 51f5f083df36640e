"""A role as its own process, as operators run it, against servers named in the environment."""

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

    ``script`` runs instead of it, where a test needs one with a fault of its own. ``inside`` is
    what its command begins with where it runs in a namespace, and ``host`` where it answers then.
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
        """Return its process id, of the last start."""
        if self._process is None:
            raise RuntimeError("it was not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return how it ended; None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self, *, wait: bool = True) -> None:
        """Start it, and unless told otherwise wait until it is ready. Blocks.

        Raises:
            ServerDidNotStart: it ended or did not get ready; the message quotes its log.
        """
        self._process = process.start(
            self._command,
            self.log,
            env=self._environment,
        )
        if wait:
            process.await_ready(self._process, self.ready, self.log, 60)

    def ready(self) -> bool:
        """Whether ``/readyz`` says yes."""
        return self.probe("readyz")[0] == 200

    def probe(self, path: str) -> tuple[int, dict[str, object]]:
        """Return status and body of a probe; status 0 when nothing answers."""
        try:
            with urllib.request.urlopen(f"{self.address}/{path}", timeout=2) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)  # a probe's refusal has a body too
        except (OSError, ValueError):
            return 0, {}

    @property
    def address(self) -> str:
        """Return where its internal port is."""
        return f"http://{self.host}:{self.port}"

    def metrics(self) -> str:
        """Return its metrics as text; empty when nothing answers."""
        try:
            with urllib.request.urlopen(f"{self.address}/metrics", timeout=2) as answer:  # noqa: S310
                text: str = answer.read().decode()
                return text
        except OSError:
            return ""

    def stop(self, patience: float = 30) -> int:
        """Tell it to stop, wait, and return its exit code."""
        if self._process is None:
            return 0
        return process.stop(self._process, signal.SIGTERM, patience)

    def kill(self) -> None:
        """Kill it at once, whatever it is doing."""
        if self._process is not None:
            process.kill(self._process)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


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
