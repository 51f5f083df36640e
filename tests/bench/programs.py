"""Contenders as child processes, with the interface of ``WorkerProcess``."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from streams.embedded import process
from tests.environments import ROOT


class Running(Protocol):
    """A started process."""

    @property
    def pid(self) -> int: ...

    @property
    def exit_code(self) -> int | None: ...

    @property
    def log(self) -> Path: ...

    def stop(self, patience: float = 30) -> int: ...


class Program:
    """A program run from the checkout; its output is ``directory/program.log``."""

    def __init__(
        self, command: Sequence[str | Path], directory: Path, environment: Mapping[str, str]
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.log = directory.absolute() / "program.log"
        self._process: subprocess.Popen[bytes] = process.start(
            command, self.log, cwd=ROOT, env={"PYTHONPATH": str(ROOT), **environment}
        )

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return its exit code; None while it runs."""
        return self._process.poll()

    def stop(self, patience: float = 30) -> int:
        """Send SIGTERM, wait for the end, and return the exit code."""
        return process.stop(self._process, signal.SIGTERM, patience)
