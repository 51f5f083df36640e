"""Base class of embedded servers: a child process with start, stop and a context manager."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from typing import Self


class Server(ABC):
    """One server process; subclasses define how it starts and stops."""

    _process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the server process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Return the process id of the last start."""
        if self._process is None:
            raise RuntimeError("it was not started")
        return self._process.pid

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it is ready; do nothing if it already runs. Blocks."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it gracefully. Blocks."""

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
