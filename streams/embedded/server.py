"""What every embedded server is: a child process that is started, stopped and used as a context."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from typing import Self


class Server(ABC):
    """One server process; its subclasses say how it starts and ends."""

    _process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the server process is there."""
        return self._process is not None and self._process.poll() is None

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it answers; nothing happens when it runs. Blocks."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it in order. Blocks."""

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
